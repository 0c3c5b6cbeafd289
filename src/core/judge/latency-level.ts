import type { Histogram } from "../model/measurement.ts"
import type { MetricPolicy } from "../model/policy.ts"
import type { Bets } from "./bets.ts"
import { house, openBets, settle } from "./bets.ts"
import type { Dispersion } from "./dispersion.ts"
import { addControl, noDispersion, phiOf } from "./dispersion.ts"
import { alternativeAt, exactBernoulliLogE } from "./exact-bernoulli.ts"
import {
  bucketAtOrAbove,
  bucketAtOrBelow,
  countAbove,
  quantileBucket,
  totalOf,
  upperEdge,
} from "./histogram.ts"
import { excludedAbove } from "./margins.ts"
import type { Pace } from "./options.ts"
import type { Margin } from "./tally.ts"

/**
 * The evidence at one quantile level: how many requests were slower than the bound that the
 * reference had at that level before the interval.
 */
export type LevelState = {
  readonly level: number
  readonly worse: Bets
  readonly fine: Bets
  /** Of the reference above its bound; also its rate so far. */
  readonly dispersion: Dispersion
}

const worseBy = [1.2, 1.5, 2, 3, 6, 20]
const fineBy = [0.3, 0.5, 0.7, 0.85]
const worseHouse = house([1, 1, 1, 1, 1, 1])
const fineHouse = house([1, 1, 1, 1])
const noMargin: Margin = { r: 1, d: 0 }

/** A bound is believed only once this many reference requests lie beyond it. */
const enoughBeyond = 5
/** How firmly the reference's share above the bound is first taken to be 1 − level, in requests. */
const nominal = 20

export const openLevel = (level: number): LevelState => ({
  level,
  worse: openBets(worseHouse),
  fine: openBets(fineHouse),
  dispersion: noDispersion,
})

/** The bounds of one level, as buckets: what lies above them is slow. */
export type Bounds = { readonly reference: number; readonly worse: number; readonly fine: number }

/**
 * The reference's bound from what it showed so far, and the suspect's: later by what is tolerated. The
 * bucket edges are rounded in the suspect's favour for the accusation and against it for the praise.
 * Undefined while the reference showed too little.
 */
export function boundsAt(level: number, past: Histogram, policy: MetricPolicy): Bounds | undefined {
  if (totalOf(past) * (1 - level) < enoughBeyond) return undefined
  const reference = quantileBucket(past, level)
  if (reference === undefined) return undefined
  const edge = upperEdge(reference)
  return {
    reference,
    worse: bucketAtOrAbove(edge * (1 + policy.tolerateRatio) + policy.tolerateDelta),
    fine: Math.max(
      reference,
      bucketAtOrBelow(edge * (1 + 2 * policy.tolerateRatio) + 2 * policy.tolerateDelta),
    ),
  }
}

/** One interval in which both sides answered requests. */
export function foldLevel(
  past: LevelState,
  bounds: Bounds,
  suspect: Histogram,
  reference: Histogram,
  pace: Pace,
): LevelState {
  const s = 1 - past.level
  const { seen } = past.dispersion
  const guess = (seen.k + nominal * s) / (seen.n + nominal)
  const phi = phiOf(past.dispersion, "trials")
  const n1 = totalOf(suspect)
  const n0 = totalOf(reference)
  const k0 = countAbove(reference, bounds.reference)
  const bet = (bound: number, margin: Margin, effects: readonly number[]) => {
    const tally = { n1, k1: countAbove(suspect, bound), n0, k0 }
    return effects.map((effect) => {
      const alternative = alternativeAt(guess, margin, effect)
      return alternative ? exactBernoulliLogE(tally, margin, alternative) / phi : 0
    })
  }
  return {
    level: past.level,
    worse: settle(past.worse, worseHouse, bet(bounds.worse, noMargin, worseBy), pace.accusation),
    fine: settle(
      past.fine,
      fineHouse,
      bet(bounds.fine, excludedAbove(s), fineBy),
      pace.praise,
      pace.praiseCeiling,
    ),
    dispersion: addControl(past.dispersion, { n: n0, k: k0 }),
  }
}
