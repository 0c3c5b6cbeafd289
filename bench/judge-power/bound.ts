/** A true regression: the control's rate, the canary's, and the canary's share of the traffic. */
export type Cell = { readonly p0: number; readonly p1: number; readonly weight: number }

const shifts = [
  [0.01, 0.02],
  [0.001, 0.05],
  [0.01, 0.015],
  [0.001, 0.002],
  [0.01, 0.05],
  [0.001, 0.01],
] as const

/** Six shifts at three weights. */
export const cells: readonly Cell[] = shifts.flatMap(([p0, p1]) =>
  [0.05, 0.1, 0.5].map((weight) => ({ p0, p1, weight })),
)

/**
 * Requests below which no test with this alpha and power one gets on average, told neither rate:
 * ln(1/alpha) / I, I = w·KL(p1‖q) + (1−w)·KL(p0‖q) at the pooled rate q, where it is least.
 */
export function leastRequests({ p0, p1, weight }: Cell, alpha: number): number {
  const pooled = weight * p1 + (1 - weight) * p0
  return Math.log(1 / alpha) / (weight * divergence(p1, pooled) + (1 - weight) * divergence(p0, pooled))
}

/** Kullback–Leibler divergence of two coins, in nats. */
const divergence = (p: number, q: number): number =>
  p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q))
