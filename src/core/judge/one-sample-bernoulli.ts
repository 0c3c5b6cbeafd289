import type { Counts } from "./tally.ts"

/**
 * Log e-value of one interval against "p ≤ limit", betting on `psi` times the odds of the limit;
 * `psi` < 1 is against "p ≥ limit". Fair whenever each trial, given the past, keeps the limit.
 */
export function oneSampleBernoulliLogE({ n, k }: Counts, limit: number, psi: number): number {
  if (n <= 0 || limit <= 0 || limit >= 1) return 0
  const odds = (psi * limit) / (1 - limit)
  const p = odds / (1 + odds)
  return k * Math.log(p / limit) + (n - k) * Math.log((1 - p) / (1 - limit))
}
