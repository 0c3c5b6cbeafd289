/**
 * A root of `f` between `low` and `high`, to an absolute `tolerance`, by Brent's method (Algorithms for
 * Minimization without Derivatives, 1973, the procedure "zero") with the step and stopping rules of R's
 * `uniroot`. `f` is looked at in the order in which R looks at it: on a step function, as here, that order
 * decides which root is found, and Kayenta's numbers depend on it. Throws a RangeError when `f` has the same
 * sign at both ends.
 */
export function brentRoot(
  f: (x: number) => number,
  low: number,
  high: number,
  tolerance: number,
  mostSteps = 1_000,
): number {
  // `best` is the newest guess, `previous` the one before it, `opposite` lies across the root from `best`.
  let previous: Point = { x: low, y: f(low) }
  let best: Point = { x: high, y: f(high) }
  let opposite = previous
  if (previous.y === 0) return previous.x
  if (best.y === 0) return best.x
  if (previous.y > 0 === best.y > 0) {
    throw new RangeError(`no root is bracketed: f(${low}) and f(${high}) have the same sign`)
  }
  for (let step = 0; step < mostSteps; step++) {
    const lastStep = best.x - previous.x
    if (Math.abs(opposite.y) < Math.abs(best.y)) {
      previous = best
      best = opposite
      opposite = previous
    }
    const smallest = 2 * Number.EPSILON * Math.abs(best.x) + tolerance / 2
    const half = (opposite.x - best.x) / 2
    if (Math.abs(half) <= smallest || best.y === 0) return best.x
    const wanted = interpolated(previous, best, opposite, lastStep, smallest) ?? half
    const taken = Math.abs(wanted) < smallest ? (wanted > 0 ? smallest : -smallest) : wanted
    previous = best
    best = { x: best.x + taken, y: f(best.x + taken) }
    if (best.y > 0 === opposite.y > 0 && best.y !== 0 && opposite.y !== 0) opposite = previous
  }
  return best.x
}

type Point = { readonly x: number; readonly y: number }

/** The step that inverse quadratic, or with two points linear, interpolation proposes; undefined: bisect. */
function interpolated(
  previous: Point,
  best: Point,
  opposite: Point,
  lastStep: number,
  smallest: number,
): number | undefined {
  if (Math.abs(lastStep) < smallest || Math.abs(previous.y) <= Math.abs(best.y)) return undefined
  const span = opposite.x - best.x
  const ratio = best.y / previous.y
  let p: number
  let q: number
  if (previous.x === opposite.x) {
    p = span * ratio
    q = 1 - ratio
  } else {
    const a = previous.y / opposite.y
    const b = best.y / opposite.y
    p = ratio * (span * a * (a - b) - (best.x - previous.x) * (b - 1))
    q = (a - 1) * (b - 1) * (ratio - 1)
  }
  if (p > 0) q = -q
  else p = -p
  const inside = p < 0.75 * span * q - Math.abs(smallest * q) / 2
  return inside && p < Math.abs((lastStep * q) / 2) ? p / q : undefined
}
