import type { MetricPolicy } from "../model/policy.ts"
import type { Bets } from "./bets.ts"
import { edgeFor, inWideBuckets } from "./coarse-buckets.ts"
import { differenceOf, quantileInterval } from "./display-interval.ts"
import type { Bound, Guard } from "./guard.ts"
import { openGuard, watch } from "./guard.ts"
import type { Tails } from "./histogram.ts"
import { bucketAtOrAbove, countAbove, noTails, totalOf, upperEdge } from "./histogram.ts"
import type { LevelRows } from "./latency-level.ts"
import { foldLevels, openLevels, openPraise, scatterAtLevel, suspicionAtLevel } from "./latency-level.ts"
import type { Look, Promotion } from "./look.ts"
import { nothingToCompare, promotionByTargets, tooFew } from "./look.ts"
import type { JudgeOptions, Pace } from "./options.ts"
import { edgesOf } from "./readings.ts"
import type { Seen } from "./seen.ts"
import { hasBegun, isFirstWarmUp, numbersSoFar } from "./seen.ts"
import type { Spread } from "./spread.ts"
import { addHistogram, countBeyond, nothingSpread, quantileBucket } from "./spread.ts"
import type { TargetLook } from "./targets.ts"
import { lookAtTargets, targetsOf } from "./targets.ts"
import type { Evidence, Taught } from "./taught.ts"
import { evidenceIn, logOf, mixtureOf } from "./taught.ts"
import { grouped, milliseconds, percent, quantileName } from "./words.ts"

/** The evidence on a latency: everything seen so far, and the bets at each quantile level. */
export type LatencyState = {
  readonly kind: "latency"
  readonly begun: boolean
  readonly canary: Spread
  readonly control: Spread
  /** Where the source, when its buckets are wide, told requests apart lately. */
  readonly edges?: readonly number[]
  /** The quantiles that are compared, rising, and the evidence at each of them. */
  readonly levels: readonly number[]
  readonly rows: LevelRows
  readonly fine: Bets
  /** Once a warm-up was seen. */
  readonly taught?: readonly Taught[]
  readonly guards: readonly Guard[]
}

const usualLevels = [0.5, 0.75, 0.9, 0.95, 0.99]
/** A quarter of the weight lies on the metric's own quantile; a slowdown seldom shows at one level alone. */
const ownShare = 0.25

/** Three times as slow a cold start may be, not more. */
const warmUpSlowness = 2

const ownLevel = (policy: MetricPolicy): number => policy.quantile ?? 0.5

export function openLatency(policy: MetricPolicy, options: JudgeOptions): LatencyState {
  const levels = [...new Set([...usualLevels, ownLevel(policy)])].sort((a, b) => a - b)
  return {
    kind: "latency",
    begun: false,
    canary: nothingSpread,
    control: nothingSpread,
    levels,
    rows: openLevels(levels),
    fine: openPraise,
    guards: targetsOf(policy, options.solo).map(() => openGuard),
  }
}

export function foldLatency(
  past: LatencyState,
  policy: MetricPolicy,
  options: JudgeOptions,
  pace: Pace,
  seen: Seen,
): LatencyState {
  const canary = seen.latencies?.canary ?? noTails
  const control = (options.solo ? undefined : seen.latencies?.control) ?? noTails
  const up = policy.worse === "up"
  const warming = seen.phase === "warming"
  const patient = { ...policy, tolerateRatio: Math.max(policy.tolerateRatio, warmUpSlowness) }
  const tolerances = {
    tested: warming ? patient : policy,
    strict: isFirstWarmUp(past, seen.phase) ? policy : undefined,
  }
  const edges = edgesOf(seen.control)
  const lately = edges ?? past.edges
  const compared = up
    ? { suspect: canary, reference: control, before: past.control, edges }
    : { suspect: control, reference: canary, before: past.canary, edges }
  const evidence = foldLevels(past, past.levels, ownLevel(policy), compared, tolerances, pace, seen.phase)
  return {
    kind: "latency",
    begun: hasBegun(past, seen.phase),
    canary: numbersSoFar(past, canary.histogram, seen.phase, addHistogram, nothingSpread),
    control: addHistogram(past.control, control.histogram),
    ...(lately ? { edges: lately } : {}),
    levels: past.levels,
    rows: evidence.rows,
    fine: evidence.fine,
    ...(evidence.taught ? { taught: evidence.taught } : {}),
    guards:
      warming || past.guards.length === 0
        ? past.guards
        : foldGuards(past, policy, options, { canary, control }, pace),
  }
}

function foldGuards(
  past: LatencyState,
  policy: MetricPolicy,
  { solo }: JudgeOptions,
  { canary, control }: { readonly canary: Tails; readonly control: Tails },
  pace: Pace,
): readonly Guard[] {
  const phi = scatterAtLevel(past.rows, past.levels.indexOf(ownLevel(policy)))
  return targetsOf(policy, solo).map(({ value }, i) => {
    const bound = bucketAtOrAbove(Math.max(value, 1e-6))
    const slow = (side: Tails) => ({ n: totalOf(side), k: countAbove(side, bound) })
    const against = solo ? "none" : slow(control)
    return watch(past.guards[i] ?? openGuard, boundOf(policy), slow(canary), against, phi, pace)
  })
}

/** "p95 at most 500 ms" says that at most 5 % of the requests take longer. */
const boundOf = (policy: MetricPolicy): Bound => ({ of: "trials", limit: 1 - ownLevel(policy), bad: "above" })

export function lookAtLatency(state: LatencyState, policy: MetricPolicy, options: JudgeOptions): Look {
  const { canary, control } = state
  const q = ownLevel(policy)
  const watched = targetsOf(policy, options.solo).map((target, i) => ({
    target,
    bound: boundOf(policy),
    guard: state.guards[i] ?? openGuard,
  }))
  const targets = lookAtTargets(policy, watched, options.promotionAlpha)
  const canaryInterval = quantileInterval(canary, q)
  const controlInterval = quantileInterval(control, q)
  const canarySays = canaryInterval && { value: canaryInterval.estimate, samples: canary.total }
  const controlSays = controlInterval && { value: controlInterval.estimate, samples: control.total }
  const tolerated = controlSays && controlSays.value * policy.tolerateRatio + policy.tolerateDelta
  const up = policy.worse === "up"
  const told = [
    canarySays &&
      `${quantileName(q)} ${milliseconds(canarySays.value)} over ${grouped(canarySays.samples)} requests`,
    controlSays && `control ${milliseconds(controlSays.value)} over ${grouped(controlSays.samples)}`,
  ].filter((part) => part !== undefined)
  const worst =
    controlSays && tolerated !== undefined ? controlSays.value + (up ? tolerated : -tolerated) : undefined
  return {
    unit: "ms",
    canary: canarySays,
    control: controlSays,
    difference: canaryInterval && controlInterval && differenceOf(canaryInterval, controlInterval),
    limit: canarySays ? tolerated : undefined,
    comparison: options.solo ? undefined : evidenceOf(state, q),
    targets,
    numbers: told.join(", "),
    tolerated:
      worst === undefined ? undefined : `at ${up ? "most" : "least"} ${milliseconds(worst)} is tolerated`,
    elsewhere: elsewhere(state, policy, options),
    promotion: promotionOf(state, options, targets),
  }
}

/** How much more than independent requests they scatter, where they do so most. */
export const scatterOfLatency = ({ levels, rows }: LatencyState): number =>
  levels.reduce((most, _, place) => Math.max(most, scatterAtLevel(rows, place)), 1)

/** The mean of the levels' e-values: fair without a correction, as each level is judged at the same moment. */
function evidenceOf(state: LatencyState, own: number): Evidence {
  const others = (1 - ownShare) / (state.levels.length - 1)
  return mixtureOf(
    state.levels.map((level, place) => ({
      of: evidenceAt(state, place),
      share: level === own ? ownShare : others,
    })),
  )
}

const evidenceAt = ({ rows, taught }: LatencyState, place: number): Evidence =>
  evidenceIn(suspicionAtLevel(rows, place), taught?.[place])

/** When another level than the metric's own carries the evidence, the sentence must show it there. */
function elsewhere(state: LatencyState, policy: MetricPolicy, options: JudgeOptions): string | undefined {
  const { lesson } = evidenceOf(state, ownLevel(policy))
  const logs = state.levels.map((_, place) => logOf(evidenceAt(state, place), lesson))
  const strongest = Math.max(...logs)
  const level = state.levels[logs.indexOf(strongest)]
  const proof = -Math.log(options.alpha)
  if (level === undefined || level === ownLevel(policy) || strongest < proof) return undefined
  const reference = policy.worse === "up" ? state.control : state.canary
  const quantile = quantileBucket(reference, level)
  if (quantile === undefined) return undefined
  const bucket = state.edges ? edgeFor(inWideBuckets(reference, state.edges), level, quantile) : quantile
  const share = (h: Spread) => percent(countBeyond(h, bucket) / Math.max(1, h.total))
  const bound = milliseconds(upperEdge(bucket))
  return `${share(state.canary)} took longer than ${bound}, in the control ${share(state.control)}`
}

function promotionOf(
  { canary, control, fine }: LatencyState,
  options: JudgeOptions,
  targets: TargetLook,
): Promotion {
  const few = tooFew(canary.total, options.minSamples)
  if (few) return few
  if (options.solo) return promotionByTargets(targets)
  if (control.total === 0) return nothingToCompare
  const excluded = "twice as many slow requests as in the control"
  return fine.log >= -Math.log(options.promotionAlpha)
    ? { enough: true, because: `${excluded} are excluded` }
    : { enough: false, because: `${excluded} are not excluded yet` }
}
