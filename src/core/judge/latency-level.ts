import type { Histogram } from "../model/measurement.ts"
import type { Bets } from "./bets.ts"
import { house, openBets, settle } from "./bets.ts"
import { crossingWhenSlower, movedBound } from "./coarse-buckets.ts"
import type { Dispersion } from "./dispersion.ts"
import { addSplit, phiOf, usualDispersion } from "./dispersion.ts"
import { effectsOf } from "./effects.ts"
import { exactBernoulliLogEs } from "./exact-bernoulli.ts"
import { bucketAtOrAbove, bucketAtOrBelow, countsAbove, totalOf, upperEdge } from "./histogram.ts"
import type { Widened } from "./margins.ts"
import { excludedAbove, ratioToExclude } from "./margins.ts"
import type { Pace } from "./options.ts"
import type { Seen } from "./seen.ts"
import type { Spread } from "./spread.ts"
import { quantileBuckets } from "./spread.ts"
import type { Suspicion } from "./suspicion.ts"
import { addSuspicion, openSuspicion } from "./suspicion.ts"
import type { Counts, Margin, Tally } from "./tally.ts"
import { nothingCounted } from "./tally.ts"

/**
 * The evidence at one quantile level: how many requests were slower than the bound that the
 * reference had at that level before the interval.
 */
export type LevelState = {
  readonly level: number
  readonly worse: Suspicion
  /** At the metric's own level alone: a promotion asks for no other. */
  readonly fine?: Bets
  /** How much of the reference lay above its bound so far. */
  readonly reference: Counts
  readonly dispersion: Dispersion
}

const worseBy = effectsOf([1.2, 1.5, 2, 3, 6, 20])
const fineBy = effectsOf([0.3, 0.5, 0.7, 0.85])
const worseHouse = house(worseBy.map(() => 1))
const fineHouse = house(fineBy.map(() => 1))

/** A bound is believed only once this many reference requests lie beyond it. */
const enoughBeyond = 5
/** How firmly the reference's share above the bound is first taken to be 1 − level, in requests. */
const nominal = 20

/** A level that has seen nothing; `own` is the one that the metric speaks of. */
export const openLevel = (level: number, own: boolean): LevelState => ({
  level,
  worse: openSuspicion(worseHouse),
  ...(own ? { fine: openBets(fineHouse) } : {}),
  reference: nothingCounted,
  dispersion: usualDispersion,
})

/** The bounds of one level, as buckets: what lies above them is slow. */
type Bounds = {
  readonly reference: number
  readonly worse: number
  /** What is tolerated above the bound of the accusation, when buckets are too coarse to move it. */
  readonly tolerated: Margin
  /** For the praise; no less than the reference's. */
  readonly fine: number
}

/**
 * The reference's bound, the bucket in which this level lay so far, and the suspect's: later by what is tolerated.
 * The bucket edges are rounded in the suspect's favour for the accusation and against it for the praise.
 * Undefined while the reference showed too little.
 */
function boundsAt(
  { level, fine }: LevelState,
  reference: number | undefined,
  past: Spread,
  policy: Widened,
  edges: readonly number[] | undefined,
): Bounds | undefined {
  if (past.total * (1 - level) < enoughBeyond) return undefined
  if (reference === undefined || (edges && !edges.includes(reference))) return undefined
  const edge = upperEdge(reference)
  const late = edge * (1 + policy.tolerateRatio) + policy.tolerateDelta
  const moved = movedBound(reference, late, bucketAtOrAbove(late), edges)
  const excluded = fine && edge * (1 + 2 * ratioToExclude(policy)) + 2 * policy.tolerateDelta
  return {
    reference,
    worse: moved.bound,
    tolerated: edges ? { r: crossingWhenSlower(past, moved.bound, moved.short, edges), d: 0 } : asMany,
    fine: excluded === undefined ? reference : Math.max(reference, bucketAtOrBelow(excluded)),
  }
}

const asMany: Margin = { r: 1, d: 0 }

/** What both sides showed in one interval, and what the reference had shown before. */
export type Compared = {
  readonly suspect: Histogram
  readonly reference: Histogram
  readonly before: Spread
  readonly edges: readonly number[] | undefined
}

/** The levels, which rise, after one interval; unchanged by one in which a side answered nothing. */
export function foldLevels(
  levels: readonly LevelState[],
  { suspect, reference, before, edges }: Compared,
  policy: Widened,
  pace: Pace,
  phase: Seen["phase"],
): readonly LevelState[] {
  const n1 = totalOf(suspect)
  const n0 = totalOf(reference)
  if (n1 <= 0 || n0 <= 0) return levels
  const quantiles = quantileBuckets(
    before,
    levels.map(({ level }) => level),
  )
  const known = levels.map((state, i) => boundsAt(state, quantiles[i], before, policy, edges))
  // Bounds rise with the levels; where there is none, the last one fills its place.
  let last: Bounds | undefined
  const bounds = known.map((own) => (last = own ?? last ?? nowhere))
  const referenceAbove = countsAbove(
    reference,
    bounds.map((own) => own.reference),
  )
  const suspectAbove = countsAbove(
    suspect,
    bounds.map((own) => own.reference),
  )
  const suspectBeyond = countsAbove(
    suspect,
    bounds.map((own) => own.worse),
  )
  return levels.map((state, i) => {
    const own = known[i]
    if (!own) return state
    const k0 = referenceAbove[i] ?? 0
    const shown: Shown = {
      above: { n1, k1: suspectAbove[i] ?? 0, n0, k0 },
      beyond: { n1, k1: suspectBeyond[i] ?? 0, n0, k0 },
      within: state.fine && { n1, k1: countsAbove(suspect, [own.fine])[0] ?? 0, n0, k0 },
    }
    return foldLevel(state, shown, own.tolerated, pace, phase)
  })
}

const nowhere: Bounds = { reference: 0, worse: 0, tolerated: asMany, fine: 0 }

/** Requests above the reference's bound, of the suspect above its bounds for the accusation and for the praise. */
type Shown = { readonly above: Tally; readonly beyond: Tally; readonly within: Tally | undefined }

function foldLevel(
  past: LevelState,
  { above, beyond, within }: Shown,
  tolerated: Margin,
  pace: Pace,
  phase: Seen["phase"],
): LevelState {
  const s = 1 - past.level
  const { n, k } = past.reference
  const guess = (k + nominal * s) / (n + nominal)
  const phi = phiOf(past.dispersion, above)
  const next: LevelState = {
    level: past.level,
    worse: addSuspicion(
      past.worse,
      worseHouse,
      exactBernoulliLogEs(beyond, tolerated, guess, worseBy, phi),
      pace.accusation,
      phase,
    ),
    reference: { n: n + above.n0, k: k + above.k0 },
    dispersion: addSplit(past.dispersion, above, "requests"),
  }
  if (!past.fine) return next
  if (phase === "warming" || !within) return { ...next, fine: past.fine }
  const logEs = exactBernoulliLogEs(within, excludedAbove(s), guess, fineBy, phi)
  return { ...next, fine: settle(past.fine, fineHouse, logEs, pace.praise, pace.praiseCeiling) }
}
