import type { Margin, Tally } from "./tally.ts"

/**
 * Log e-value of one interval against "p1 ≤ r·p0 + d", betting that the ratio is `rho` times what is
 * tolerated. Holds for any baseline p0, another one in every interval. `rho` < 1 bets the other way:
 * against "p1 ≥ r·p0 + d". 0 (no evidence) when a side saw nothing.
 *
 * E[e] ≤ exp(n1·p1·(A−1) + n0·p0·(B−1) − n1·d·(A−1)) ≤ exp(p0·(n1·r·(A−1) + n0·(B−1))) = 1, by 1+x ≤ e^x:
 * exact for Poisson events, a little less than fair for proportions.
 */
export function riskRatioLogE({ n1, k1, n0, k0 }: Tally, { r, d }: Margin, rho: number): number {
  if (n1 <= 0 || n0 <= 0) return 0
  const logB = Math.log((r * n1 + n0) / (rho * r * n1 + n0))
  const logA = Math.log(rho) + logB
  return k1 * logA + k0 * logB - n1 * d * (Math.exp(logA) - 1)
}
