import { project } from "./projection.ts"
import type { Margin, Tally } from "./tally.ts"

/** A guess at both rates, made before the interval. A bad guess costs time, never validity. */
export type Alternative = { readonly pa: number; readonly pb: number }

/**
 * The alternative whose suspect has `psi` times the odds of what is tolerated at a reference of `pb`;
 * `psi` < 1 for the bet that it is better than that. Undefined when everything is tolerated.
 */
export function alternativeAt(pb: number, { r, d }: Margin, psi: number): Alternative | undefined {
  const tolerated = r * pb + d
  if (!(pb > 0 && pb < 1 && tolerated > 0 && tolerated < 1 - 1e-6)) return undefined
  const odds = (psi * tolerated) / (1 - tolerated)
  return { pa: odds / (1 + odds), pb }
}

/**
 * Log e-value of one interval against "p1 ≤ r·p0 + d" for an alternative beyond that line, or against
 * "p1 ≥ r·p0 + d" for one below it. Sharper than the risk ratio where rates are large.
 * 0 (no evidence) when a side saw nothing.
 */
export function exactBernoulliLogE(tally: Tally, margin: Margin, alternative: Alternative): number {
  const { n1, k1, n0, k0 } = tally
  if (n1 <= 0 || n0 <= 0) return 0
  const { pa, pb } = alternative
  const { q1, q0 } = project(pa, pb, n1, n0, margin)
  return (
    k1 * Math.log(pa / q1) +
    (n1 - k1) * Math.log((1 - pa) / (1 - q1)) +
    k0 * Math.log(pb / q0) +
    (n0 - k0) * Math.log((1 - pb) / (1 - q0))
  )
}
