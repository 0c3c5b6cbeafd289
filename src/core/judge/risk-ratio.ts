import type { Effect } from "./effects.ts"
import type { Margin, Tally } from "./tally.ts"

/**
 * Log e-values of one interval against "p1 ≤ r·p0 + d", one for each guess `rho` at how many times what is
 * tolerated the ratio is. They hold for any baseline p0, another one in every interval. `rho` < 1 bets the other
 * way: against "p1 ≥ r·p0 + d". 0 (no evidence) when a side saw nothing. `phi` ≥ 1 divides them: see `dispersion.ts`.
 *
 * E[e] ≤ exp(n1·p1·(A−1) + n0·p0·(B−1) − n1·d·(A−1)) ≤ exp(p0·(n1·r·(A−1) + n0·(B−1))) = 1, by 1+x ≤ e^x:
 * exact for Poisson events, a little less than fair for proportions.
 */
export function riskRatioLogEs(
  { n1, k1, n0, k0 }: Tally,
  { r, d }: Margin,
  effects: readonly Effect[],
  phi: number,
): readonly number[] {
  const logEs = new Array<number>(effects.length)
  const events = k1 + k0
  const all = r * n1 + n0
  for (let i = 0; i < logEs.length; i++) {
    const rho = effects[i]
    if (!rho || n1 <= 0 || n0 <= 0) {
      logEs[i] = 0
      continue
    }
    const b = all / (rho.times * r * n1 + n0)
    // k1·ln A + k0·ln B, where A = rho·B. Of rare events most intervals have none.
    const ofEvents = events > 0 ? k1 * rho.log + events * Math.log(b) : 0
    logEs[i] = (ofEvents - n1 * d * (rho.times * b - 1)) / phi
  }
  return logEs
}
