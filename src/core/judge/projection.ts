import type { Margin } from "./tally.ts"

const edge = 1e-12
const mostSteps = 60
/** A step no longer than this, relative to the point, was the last: the next one would be its square. */
const near = 1e-10

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
  // The slope r·n1·(q1 − pa)/(q1·(1 − q1)) + n0·(q0 − pb)/(q0·(1 − q0)), freed of its fractions, is a cubic of the same
  // sign: a3·q0³ + a2·q0² + a1·q0 + a0.
  const rn1 = r * n1
  const a3 = -r * (rn1 + r * n0)
  const a2 = rn1 * (r + pa - d) + n0 * r * (1 - 2 * d + r * pb)
  const a1 = rn1 * (d - pa) + n0 * (d * (1 - d) - r * pb * (1 - 2 * d))
  const a0 = -n0 * pb * d * (1 - d)
  // Newton's method; where it would leave what is left, halving.
  for (let i = 0; i < mostSteps; i++) {
    const slope = ((a3 * q0 + a2) * q0 + a1) * q0 + a0
    if (slope > 0) high = q0
    else low = q0
    const next = q0 - slope / ((3 * a3 * q0 + 2 * a2) * q0 + a1)
    if (Math.abs(next - q0) <= near * q0) {
      q0 = within(next)
      break
    }
    q0 = next > low && next < high ? next : (low + high) / 2
  }
  return { q1: r * q0 + d, q0 }
}

/** Where d = 0 the slope is a parabola over q0·(1 − q1)·(1 − q0): its smaller root, in the form that does not cancel. */
function nearestWithoutDelta(pa: number, pb: number, n1: number, n0: number, r: number): number {
  const linear = n1 * (r + pa) + n0 * (1 + r * pb)
  const constant = n1 * pa + n0 * pb
  return (2 * constant) / (linear + Math.sqrt(linear * linear - 4 * r * (n1 + n0) * constant))
}
