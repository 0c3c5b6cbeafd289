import type { Bets } from "./bets.ts"
import { house, openBets, settle } from "./bets.ts"
import type { WideBuckets } from "./coarse-buckets.ts"
import { edgeFor, growthWhenSlower, inWideBuckets, movedBound } from "./coarse-buckets.ts"
import { addSplit, phiOf, scatterOf, usualDispersion } from "./dispersion.ts"
import { effectsOf } from "./effects.ts"
import { exactBernoulliLogEs } from "./exact-bernoulli.ts"
import type { Tails } from "./histogram.ts"
import { bucketAtOrAbove, bucketAtOrBelow, countAbove, totalOf, upperEdge } from "./histogram.ts"
import type { Widened } from "./margins.ts"
import { excludedAbove, ratioToExclude } from "./margins.ts"
import type { Pace } from "./options.ts"
import type { Seen } from "./seen.ts"
import type { Spread } from "./spread.ts"
import { countBeyond, quantileBuckets } from "./spread.ts"
import type { Suspicion } from "./suspicion.ts"
import { addSuspicion, openSuspicion } from "./suspicion.ts"
import type { Margin } from "./tally.ts"
import type { Taught } from "./taught.ts"
import { openTaught, playOn, teach } from "./taught.ts"

/**
 * The evidence at each quantile level: how many requests were slower than the bound that the reference had at that
 * level before the interval. A level has a row of `levelWidth` numbers: its suspicion, how much of the reference lay above
 * its bound so far, `k` of `n`, and its dispersion. One array, for it is copied in every interval.
 */
export type LevelRows = readonly number[]

// Of requests above a median a slowdown by a tenth does not raise the odds by a fifth.
const worseBy = effectsOf([1.06, 1.2, 1.6, 2.5, 6])
const fineBy = effectsOf([0.3, 0.5, 0.7, 0.85])
const worseHouse = house(worseBy.map(() => 1))
const fineHouse = house(fineBy.map(() => 1))

/** A bound is believed only once this many reference requests lie beyond it. */
const enoughBeyond = 5
/** How firmly the reference's share above the bound is first taken to be 1 − level, in requests. */
const nominal = 20

// Where in a row they stand.
const nAt = openSuspicion(worseHouse).length
const kAt = nAt + 1
const dispersionAt = kAt + 1
const levelWidth = dispersionAt + usualDispersion.length

export const openPraise: Bets = openBets(fineHouse)

/** Levels that have seen nothing. */
export const openLevels = (levels: readonly number[]): LevelRows =>
  levels.flatMap(() => [...openSuspicion(worseHouse), 0, 0, ...usualDispersion])

/** The suspicion at the level of this place. */
export const suspicionAtLevel = (rows: LevelRows, place: number): Suspicion =>
  rows.slice(place * levelWidth, place * levelWidth + nAt)

/** How much more than independent requests those above the bound of this level scatter. */
export const scatterAtLevel = (rows: LevelRows, place: number): number =>
  scatterOf(rows, place * levelWidth + dispersionAt)

/** The same rows with no log e-value above this. */
export const levelsAtMost = (rows: LevelRows, ceiling: number): LevelRows =>
  rows.map((one, i) => (i % levelWidth === 0 ? Math.min(ceiling, one) : one))

/** The bounds of one level, as buckets: what lies above them is slow. */
type Bounds = {
  readonly reference: number
  /** What the praise takes for slow: no more than 1 − level of the reference so far, which its margin is made for. */
  readonly praised: number
  readonly worse: number
  /** What is tolerated above the bound of the accusation, when buckets are too coarse to move it. */
  readonly tolerated: Margin
}

/**
 * The reference's bound, the bucket in which this level lay so far or an edge nearby, and the suspect's: later by what is tolerated.
 * The bucket edges are rounded in the suspect's favour for the accusation and, below, against it for the praise.
 * Undefined while the reference showed too little.
 */
function boundsAt(
  level: number,
  quantile: number | undefined,
  past: Spread,
  policy: Widened,
  wide: WideBuckets | undefined,
): Bounds | undefined {
  if (past.total * (1 - level) < enoughBeyond) return undefined
  if (quantile === undefined || (wide && !wide.edges.includes(quantile))) return undefined
  const reference = wide ? edgeFor(wide, level, quantile) : quantile
  const edge = upperEdge(reference)
  const late = edge * (1 + policy.tolerateRatio) + policy.tolerateDelta
  const moved = movedBound(reference, late, bucketAtOrAbove(late), wide?.edges)
  return {
    reference,
    praised: quantile,
    worse: moved.bound,
    tolerated: wide ? { r: growthWhenSlower(wide, reference, moved.short), d: 0 } : asMany,
  }
}

/** The suspect's bound for the praise, no less than the reference's. */
function praisedBound(reference: number, policy: Widened): number {
  const late = upperEdge(reference) * (1 + 2 * ratioToExclude(policy)) + 2 * policy.tolerateDelta
  return Math.max(reference, bucketAtOrBelow(late))
}

/** The reference's share above a bound, of which it showed `k` of `n` so far. */
const guessOf = (k: number, n: number, level: number): number => (k + nominal * (1 - level)) / (n + nominal)

const asMany: Margin = { r: 1, d: 0 }

/** What both sides showed in one interval, and what the reference had shown before. */
type Compared = {
  readonly suspect: Tails
  readonly reference: Tails
  readonly before: Spread
  readonly edges: readonly number[] | undefined
}

/** The evidence on a latency: that it is worse at any level, and, at its own level, that it is fine. */
type Evidence = {
  readonly rows: LevelRows
  readonly fine: Bets
  /** Once a warm-up was seen: what it taught, level by level. */
  readonly taught?: readonly Taught[]
}

/** What an interval is tested against, and, in the first warm-up, what the policy says without patience. */
type Tolerances = { readonly tested: Widened; readonly strict: Widened | undefined }

/**
 * The evidence at these levels, which rise, after one interval; unchanged by one in which a side answered nothing.
 * `own` is the level that the metric speaks of: a promotion asks for no other.
 */
export function foldLevels(
  past: Evidence,
  levels: readonly number[],
  own: number,
  { suspect, reference, before, edges }: Compared,
  { tested, strict }: Tolerances,
  pace: Pace,
  phase: Seen["phase"],
): Evidence {
  const n1 = totalOf(suspect)
  const n0 = totalOf(reference)
  if (n1 <= 0 || n0 <= 0) return past
  const quantiles = quantileBuckets(before, levels)
  const wide = edges && inWideBuckets(before, edges)
  const rows = past.rows.slice()
  const taught = strict
    ? (past.taught?.slice() ?? levels.map(() => openTaught(worseHouse)))
    : past.taught?.slice()
  let fine = past.fine
  for (let place = 0; place < levels.length; place++) {
    const level = levels[place] ?? 0
    const bounds = boundsAt(level, quantiles[place], before, tested, wide)
    if (!bounds) continue
    const at = place * levelWidth
    const n = rows[at + nAt] ?? 0
    const k = rows[at + kAt] ?? 0
    const guess = guessOf(k, n, level)
    const k0 = countAbove(reference, bounds.reference)
    const split = { n1, k1: countAbove(suspect, bounds.reference), n0, k0 }
    const phi = phiOf(rows, split, at + dispersionAt)
    const later = { n1, k1: countAbove(suspect, bounds.worse), n0, k0 }
    const logEs = exactBernoulliLogEs(later, bounds.tolerated, guess, worseBy, phi)
    addSuspicion(rows, at, worseHouse, logEs, pace.accusation, phase)
    const pupil = taught?.[place]
    const sharp = strict && boundsAt(level, quantiles[place], before, strict, wide)
    if (taught && pupil && sharp) {
      const tally = { n1, k1: countAbove(suspect, sharp.worse), n0, k0 }
      const bets = exactBernoulliLogEs(tally, sharp.tolerated, guess, worseBy, phi)
      taught[place] = teach(pupil, worseHouse, bets, pace.accusation)
    } else if (taught && pupil && phase === "judged") {
      taught[place] = playOn(pupil, worseHouse, logEs, pace.accusation)
    }
    if (level === own && phase === "judged") {
      const { reference: accused, praised } = bounds
      const k1 = countAbove(suspect, praisedBound(praised, tested))
      const tally = { n1, k1, n0, k0: countAbove(reference, praised) }
      const share = praised === accused ? guess : guessOf(countBeyond(before, praised), before.total, level)
      const praise = exactBernoulliLogEs(tally, excludedAbove(1 - level), share, fineBy, phi)
      fine = settle(fine, fineHouse, praise, pace.praise, pace.praiseCeiling)
    }
    rows[at + nAt] = n + n0
    rows[at + kAt] = k + k0
    addSplit(rows, at + dispersionAt, split, "requests")
  }
  return { rows, fine, ...(taught ? { taught } : {}) }
}
