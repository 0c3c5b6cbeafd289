import type { Counts } from "./tally.ts"

/**
 * Log e-value of one interval against "at most `limit` events a second", betting on `rho` times as
 * many; `rho` < 1 is against "at least". `n` is the exposure in instance-seconds.
 */
export function oneSamplePoissonLogE({ n, k }: Counts, limit: number, rho: number): number {
  if (n <= 0 || limit <= 0) return 0
  return k * Math.log(rho) - limit * n * (rho - 1)
}
