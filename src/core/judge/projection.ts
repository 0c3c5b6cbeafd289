import type { Margin } from "./tally.ts"

const edge = 1e-12
const halvings = 60

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
  const lowest = Math.max(edge, (edge - d) / r)
  const highest = Math.min(1 - edge, (1 - edge - d) / r)
  const within = (q: number) => Math.min(highest, Math.max(lowest, q))
  // At pb only the canary's term pulls, at (pa − d)/r only the control's: the minimum lies between.
  let low = within(Math.min(pb, (pa - d) / r))
  let high = within(Math.max(pb, (pa - d) / r))
  for (let i = 0; i < halvings; i++) {
    const q0 = (low + high) / 2
    const q1 = r * q0 + d
    const slope = (r * n1 * (q1 - pa)) / (q1 * (1 - q1)) + (n0 * (q0 - pb)) / (q0 * (1 - q0))
    if (slope > 0) high = q0
    else low = q0
  }
  const q0 = (low + high) / 2
  return { q1: r * q0 + d, q0 }
}
