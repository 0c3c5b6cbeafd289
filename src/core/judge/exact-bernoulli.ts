import type { Effect } from "./effects.ts"
import { project } from "./projection.ts"
import type { Margin, Tally } from "./tally.ts"

/**
 * Log e-values of one interval against "p1 ≤ r·p0 + d". Each bets that the reference is at `pb`, a guess made before
 * the interval, and the suspect at `psi` times the odds of what is then tolerated; psi < 1 bets the other way, against
 * "p1 ≥ r·p0 + d". A bad guess costs time, never validity. Sharper than the risk ratio where rates are large.
 * 0 (no evidence) when a side saw nothing, or everything would be tolerated. `phi` ≥ 1 divides them.
 *
 * e = p(counts | alternative) / p(counts | the nearest point of the null hypothesis), see `projection.ts`.
 */
export function exactBernoulliLogEs(
  tally: Tally,
  margin: Margin,
  pb: number,
  effects: readonly Effect[],
  phi: number,
): readonly number[] {
  const { n1, k1, n0, k0 } = tally
  const tolerated = margin.r * pb + margin.d
  if (n1 <= 0 || n0 <= 0 || !(pb > 0 && pb < 1 && tolerated > 0 && tolerated < 1 - 1e-6))
    return effects.map(() => 0)
  const logEs = new Array<number>(effects.length)
  const odds = tolerated / (1 - tolerated)
  // What all guesses have in common: the reference's part, and the logarithm of the odds.
  const common = logLikelihood(n0, k0, pb) + k1 * Math.log(odds)
  for (let i = 0; i < logEs.length; i++) {
    const psi = effects[i]
    if (!psi) continue
    const suspected = psi.times * odds
    const pa = suspected / (1 + suspected)
    const { q1, q0 } = project(pa, pb, n1, n0, margin)
    const alternative = common + k1 * psi.log - n1 * Math.log(1 + suspected)
    const null_ =
      q1 === q0 ? logLikelihood(n1 + n0, k1 + k0, q0) : logLikelihood(n1, k1, q1) + logLikelihood(n0, k0, q0)
    logEs[i] = (alternative - null_) / phi
  }
  return logEs
}

const logLikelihood = (n: number, k: number, p: number): number => k * Math.log(p) + (n - k) * Math.log(1 - p)
