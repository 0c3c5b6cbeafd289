import type { Margin } from "./tally.ts"

const edge = 1e-12
const mostSteps = 60
/** Closer than this, relative to the point, is the point. */
const near = 1e-14

/**
 * The point of the line q1 = r·q0 + d that is nearest to (pa, pb) in
 * n1·KL(pa‖q1) + n0·KL(pb‖q0): the hardest case to tell from the alternative. Because the null is
 * convex, pa/q1 and pb/q0 then make a fair bet against every point behind that line.
 * Expects 0 < pa, pb < 1, n1, n0 > 0 and a line that crosses the unit square.
 */
export function project(pa: number, pb: number, n1: number, n0: number, { r, d }: Margin) {
  if (r === 1 && d === 0) {
    const pooled = (n1 * pa + n0 * pb) / (n1 + n0)
    return { q1: pooled, q0: pooled }
  }
  if (d === 0) {
    const q0 = nearestWithoutDelta(pa, pb, n1, n0, r)
    return { q1: r * q0, q0 }
  }
  const lowest = Math.max(edge, (edge - d) / r)
  const highest = Math.min(1 - edge, (1 - edge - d) / r)
  const within = (q: number) => Math.min(highest, Math.max(lowest, q))
  // At pb only the canary's term pulls, at (pa − d)/r only the control's: the minimum lies between.
  const ofCanary = within((pa - d) / r)
  const ofControl = within(pb)
  let low = Math.min(ofCanary, ofControl)
  let high = Math.max(ofCanary, ofControl)
  let q0 = (n1 * ofCanary + n0 * ofControl) / (n1 + n0)
  // Newton's method on the slope, which only rises; where it would leave what is left, halving.
  for (let i = 0; i < mostSteps; i++) {
    const q1 = r * q0 + d
    const room1 = q1 * (1 - q1)
    const room0 = q0 * (1 - q0)
    const slope = (r * n1 * (q1 - pa)) / room1 + (n0 * (q0 - pb)) / room0
    if (slope > 0) high = q0
    else low = q0
    const bend =
      (r * r * n1 * (q1 * q1 - 2 * pa * q1 + pa)) / (room1 * room1) +
      (n0 * (q0 * q0 - 2 * pb * q0 + pb)) / (room0 * room0)
    const next = q0 - slope / bend
    const moved = next > low && next < high ? next : (low + high) / 2
    if (Math.abs(moved - q0) <= near * q0) break
    q0 = moved
  }
  return { q1: r * q0 + d, q0 }
}

/** Where d = 0 the slope is a parabola over q0·(1 − q1)·(1 − q0): its smaller root, in the form that does not cancel. */
function nearestWithoutDelta(pa: number, pb: number, n1: number, n0: number, r: number): number {
  const linear = n1 * (r + pa) + n0 * (1 + r * pb)
  const constant = n1 * pa + n0 * pb
  return (2 * constant) / (linear + Math.sqrt(linear * linear - 4 * r * (n1 + n0) * constant))
}
