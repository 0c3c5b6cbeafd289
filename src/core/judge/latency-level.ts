import type { Bets } from "./bets.ts"
import { house, openBets, settle } from "./bets.ts"
import { crossingWhenSlower, movedBound } from "./coarse-buckets.ts"
import type { Dispersion } from "./dispersion.ts"
import { addSplit, phiOf, usualDispersion } from "./dispersion.ts"
import { alternativeAt, exactBernoulliLogE } from "./exact-bernoulli.ts"
import { bucketAtOrAbove, bucketAtOrBelow, upperEdge } from "./histogram.ts"
import type { Widened } from "./margins.ts"
import { excludedAbove, ratioToExclude } from "./margins.ts"
import type { Pace } from "./options.ts"
import type { Seen } from "./seen.ts"
import type { Spread } from "./spread.ts"
import { countAbove, quantileBucket } from "./spread.ts"
import type { Suspicion } from "./suspicion.ts"
import { addSuspicion, openSuspicion } from "./suspicion.ts"
import type { Counts, Margin } from "./tally.ts"
import { addCounts, nothingCounted } from "./tally.ts"

/**
 * The evidence at one quantile level: how many requests were slower than the bound that the
 * reference had at that level before the interval.
 */
export type LevelState = {
  readonly level: number
  readonly worse: Suspicion
  readonly fine: Bets
  /** How much of the reference lay above its bound so far. */
  readonly reference: Counts
  readonly dispersion: Dispersion
}

const worseBy = [1.2, 1.5, 2, 3, 6, 20]
const fineBy = [0.3, 0.5, 0.7, 0.85]
const worseHouse = house(worseBy.map(() => 1))
const fineHouse = house([1, 1, 1, 1])

/** A bound is believed only once this many reference requests lie beyond it. */
const enoughBeyond = 5
/** How firmly the reference's share above the bound is first taken to be 1 − level, in requests. */
const nominal = 20

export const openLevel = (level: number): LevelState => ({
  level,
  worse: openSuspicion(worseHouse),
  fine: openBets(fineHouse),
  reference: nothingCounted,
  dispersion: usualDispersion,
})

/** The bounds of one level, as buckets: what lies above them is slow. */
export type Bounds = {
  readonly reference: number
  readonly worse: number
  /** What is tolerated above the bound of the accusation, when buckets are too coarse to move it. */
  readonly tolerated: Margin
  readonly fine: number
}

/**
 * The reference's bound from what it showed so far, and the suspect's: later by what is tolerated. The
 * bucket edges are rounded in the suspect's favour for the accusation and against it for the praise.
 * Undefined while the reference showed too little.
 */
export function boundsAt(
  level: number,
  past: Spread,
  policy: Widened,
  edges: readonly number[] | undefined,
): Bounds | undefined {
  if (past.total * (1 - level) < enoughBeyond) return undefined
  const reference = quantileBucket(past, level)
  if (reference === undefined || (edges && !edges.includes(reference))) return undefined
  const edge = upperEdge(reference)
  const late = edge * (1 + policy.tolerateRatio) + policy.tolerateDelta
  const moved = movedBound(reference, late, bucketAtOrAbove(late), edges)
  return {
    reference,
    worse: moved.bound,
    tolerated: { r: edges ? crossingWhenSlower(past, moved.bound, moved.short, edges) : 1, d: 0 },
    fine: Math.max(
      reference,
      bucketAtOrBelow(edge * (1 + 2 * ratioToExclude(policy)) + 2 * policy.tolerateDelta),
    ),
  }
}

/** One interval in which both sides answered requests. */
export function foldLevel(
  past: LevelState,
  bounds: Bounds,
  suspect: Spread,
  reference: Spread,
  pace: Pace,
  phase: Seen["phase"],
): LevelState {
  const s = 1 - past.level
  const { n, k } = past.reference
  const guess = (k + nominal * s) / (n + nominal)
  const n1 = suspect.total
  const n0 = reference.total
  const k0 = countAbove(reference, bounds.reference)
  const split = { n1, k1: countAbove(suspect, bounds.reference), n0, k0 }
  const phi = phiOf(past.dispersion, split)
  const bet = (bound: number, margin: Margin, effects: readonly number[]) => {
    const tally = { n1, k1: countAbove(suspect, bound), n0, k0 }
    return effects.map((effect) => {
      const alternative = alternativeAt(guess, margin, effect)
      return alternative ? exactBernoulliLogE(tally, margin, alternative) / phi : 0
    })
  }
  return {
    level: past.level,
    worse: addSuspicion(
      past.worse,
      worseHouse,
      bet(bounds.worse, bounds.tolerated, worseBy),
      pace.accusation,
      phase,
    ),
    fine:
      phase === "warming"
        ? past.fine
        : settle(
            past.fine,
            fineHouse,
            bet(bounds.fine, excludedAbove(s), fineBy),
            pace.praise,
            pace.praiseCeiling,
          ),
    reference: addCounts(past.reference, { n: n0, k: k0 }),
    dispersion: addSplit(past.dispersion, split),
  }
}
