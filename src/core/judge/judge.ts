import type { Measurement, Observation } from "../model/measurement.ts"
import type { MetricPolicy, MetricSourcePolicy } from "../model/policy.ts"
import type { Instant } from "../model/time.ts"
import type { Verdict, VerdictKind } from "../model/verdict.ts"
import type { Accusation } from "./combine.ts"
import { accuse } from "./combine.ts"
import { addCopies, noCopies } from "./copies.ts"
import type { Differences } from "./instance-differences.ts"
import { addInstances, noDifferences } from "./instance-differences.ts"
import { instancesOf } from "./instance-share.ts"
import type { Basis, Doubt } from "./learned-margin.ts"
import { doubtOf, kindOf, learnedOf, tellWhy, widened, withoutComparison } from "./learned-margin.ts"
import type { Look } from "./look.ts"
import type { JudgeOptions } from "./options.ts"
import { paceOf, withDefaults } from "./options.ts"
import type { Seen } from "./seen.ts"
import { seenIn } from "./seen.ts"
import type { Sight } from "./sight.ts"
import { inTheDark, isDark, isQuiet, nothingSeen, see, sourceIsBlind, tooQuiet } from "./sight.ts"
import { accusingAtMost, amountsIn, foldStatistic, lookAt, openStatistic } from "./statistic.ts"
import { targetsOf } from "./targets.ts"
import { addTraffic, noSplit } from "./traffic-split.ts"

export type { JudgeOptions } from "./options.ts"

/** All evidence so far. Plain JSON data: stored and read back, it goes on where it was. */
export type JudgeState = {
  readonly options: JudgeOptions
  readonly metrics: readonly MetricState[]
}

type MetricState = Basis & {
  readonly sight: Sight
  /** Where the last interval ended. What starts before that is late, or was heard already. */
  readonly until: Instant
}

/**
 * A judge that has seen nothing. Throws a RangeError on options that are no probabilities and on two
 * metrics of one name.
 */
export function startJudge(
  metrics: readonly MetricPolicy[],
  options: Partial<JudgeOptions> = {},
): JudgeState {
  const complete = withDefaults(options)
  const names = metrics.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) {
    throw new RangeError(`judge: two metrics are named "${twice}": give each a name of its own`)
  }
  return {
    options: complete,
    metrics: metrics.map((policy) => ({
      policy,
      sight: nothingSeen,
      statistic: openStatistic(policy, complete),
      spread: noDifferences,
      sizes: { canary: 0, control: 0 },
      split: noSplit,
      copies: noCopies,
      until: Number.MIN_SAFE_INTEGER,
    })),
  }
}

/**
 * The evidence after one more closed interval of one metric; the same intervals always give the same
 * state. An interval that starts before the last one ended is late, repeated, or of a clock that went
 * back: it counts as unseen, never twice. Throws a RangeError on an unknown metric.
 */
export function observe(state: JudgeState, measurement: Measurement): JudgeState {
  return change(state, measurement, observed)
}

function observed(options: JudgeOptions, metric: MetricState, measurement: Measurement): MetricState {
  const { policy, sight } = metric
  const { blind, told, copies } = measurement
  if (isLate(metric, measurement)) {
    return { ...metric, sight: see(sight, undefined, undefined, "what came was measured before") }
  }
  const seen = seenIn(policy, measurement, "judged")
  const { canary, control } = amountsIn(policy, seen)
  return fold(options, metric, measurement, seen, {
    sight: see(sight, canary, control, blind),
    split: told ? addTraffic(metric.split, told, canary ?? 0, control ?? 0) : metric.split,
    copies: copies ? addCopies(metric.copies, copies) : metric.copies,
  })
}

const isLate = ({ until }: MetricState, { from }: Measurement): boolean => from < until

/**
 * An interval of the warm-up, in which a good canary may be worse: cold caches look like regressions. It
 * is held against wider margins, so that only what no warm-up explains accuses it (see `suspicion.ts`).
 * Both sides teach how events cluster, and
 * the control where its latencies lie. Nothing counts as seen. Throws as `observe` does.
 */
export function observeWarmUp(state: JudgeState, measurement: Measurement): JudgeState {
  return change(state, measurement, warmedUp)
}

const warmedUp = (options: JudgeOptions, metric: MetricState, measurement: Measurement): MetricState =>
  isLate(metric, measurement)
    ? metric
    : fold(options, metric, measurement, seenIn(metric.policy, measurement, "warming"), metric)

/**
 * An interval of the time when the instances of the present control were a canary themselves: it tells how they
 * differ, and nothing else. Of a metric that is not judged it tells nothing.
 */
export function observeControlBefore(state: JudgeState, { metric: name, canary }: Measurement): JudgeState {
  return {
    ...state,
    metrics: state.metrics.map((metric) =>
      metric.policy.name === name ? { ...metric, spread: learn(metric, canary) } : metric,
    ),
  }
}

const learn = ({ spread, policy }: MetricState, seen: Observation | undefined): Differences =>
  addInstances(spread, kindOf(policy), instancesOf(seen))

/** A retry starts with at most this part of a proof: two more bad seconds convict, good ones acquit. */
const partOfProof = 0.5

/**
 * The evidence with which a retry of the same release starts: what its earlier attempt showed, as a
 * loop of retries would otherwise be given a new alpha each time. Of a proof, half is given up, for a
 * person chose to try again; nothing counts as seen yet.
 */
export function tryAgain(state: JudgeState): JudgeState {
  const ceiling = -Math.log(state.options.alpha) * partOfProof
  return {
    ...state,
    metrics: state.metrics.map((metric) => ({
      ...metric,
      sight: nothingSeen,
      statistic: accusingAtMost(metric.statistic, ceiling),
      split: noSplit,
      copies: noCopies,
    })),
  }
}

/** What an interval changes beside the evidence: nothing counts as seen in a warm-up. */
type Witness = Pick<MetricState, "sight" | "split" | "copies">

function fold(
  options: JudgeOptions,
  metric: MetricState,
  { from, to }: Measurement,
  seen: Seen,
  { sight, split, copies }: Witness,
): MetricState {
  const { policy, statistic, spread } = metric
  const { canary, control } = seen
  const canaries = instancesOf(canary).length
  const controls = instancesOf(control).length
  const sizes = canaries > 0 && controls > 0 ? { canary: canaries, control: controls } : metric.sizes
  // The margin comes from the past only, and from how many there are.
  const margin = widened(policy, learnedOf(options, { policy, statistic, spread, sizes }))
  const pace = paceOf(options, to - from)
  return {
    policy,
    sight,
    statistic: foldStatistic(statistic, margin, options, pace, seen),
    spread: learn(metric, control),
    sizes,
    split,
    copies,
    until: to,
  }
}

function change(
  state: JudgeState,
  measurement: Measurement,
  to: (options: JudgeOptions, metric: MetricState, measurement: Measurement) => MetricState,
): JudgeState {
  const { options, metrics } = state
  const place = metrics.findIndex(({ policy }) => policy.name === measurement.metric)
  const metric = metrics[place]
  if (!metric) {
    const known = metrics.map(({ policy }) => policy.name).join(", ")
    throw new RangeError(
      `judge: a measurement of "${measurement.metric}" came, but this rollout judges ${known || "nothing"}: ` +
        "start the judge with the metrics of the policy that was measured",
    )
  }
  const next = metrics.slice()
  next[place] = to(options, metric, measurement)
  return { options, metrics: next }
}

/**
 * What is known now, one verdict per metric in the policy's order. A solo judge leaves out metrics
 * that have no absolute target: there is nothing to hold them against.
 */
export function verdicts(state: JudgeState): readonly Verdict[] {
  const judged = state.metrics.filter((metric) => isJudged(metric, state.options))
  const looks = judged.map((metric) => {
    const learned = state.options.solo ? undefined : learnedOf(state.options, metric)
    const doubt = state.options.solo ? undefined : doubtOf(metric, learned)
    const look = lookAt(metric.statistic, widened(metric.policy, learned), state.options)
    return { ...metric, doubt, look: doubt && !doubt.convicts ? withoutComparison(look) : look, learned }
  })
  const accusations = accuse(looks, state.options.alpha)
  return looks.map(({ policy, sight, look, doubt, learned }, i) => {
    const accusation = accusations[i] ?? { evidence: 0, guilty: undefined }
    const { kind, because } = conclude(sight, tellWhy(look, policy, learned), accusation, doubt)
    return {
      metric: policy.name,
      kind,
      // A shape that never varied needs no second witness.
      critical: policy.critical || look.proven !== undefined,
      because,
      unit: look.unit,
      canary: look.canary,
      control: look.control,
      difference: look.difference,
      limit: look.limit,
      ...(look.harm ? { harm: look.harm } : {}),
      ...(doubt ? { advisory: doubt.because } : {}),
      logEvidence: withoutDust(accusation.evidence),
      controlAlsoBad: look.targets.controlBreaks,
      ...(look.paths ? { paths: look.paths } : {}),
    }
  })
}

/** Every metric of at least one source could not be seen in its last three intervals. */
export function sourceBroken(state: JudgeState): boolean {
  const judged = state.metrics.filter((metric) => isJudged(metric, state.options))
  const sources = Map.groupBy(judged, ({ policy }) => sourceKey(policy.source))
  return [...sources.values()].some((metrics) => metrics.every(({ sight }) => sourceIsBlind(sight)))
}

const sourceKey = (source: MetricSourcePolicy): string =>
  "url" in source ? `${source.type} ${source.url}` : source.type

const isJudged = ({ policy }: MetricState, { solo }: JudgeOptions): boolean =>
  !solo || targetsOf(policy, solo).length > 0

/** Sums of shares leave a last digit behind; no evidence is 0. */
const withoutDust = (evidence: number): number => (Math.abs(evidence) < 1e-12 ? 0 : evidence)

type Conclusion = { readonly kind: VerdictKind; readonly because: string }

function conclude(sight: Sight, look: Look, { guilty }: Accusation, doubt: Doubt | undefined): Conclusion {
  const say = (kind: VerdictKind, ...parts: readonly (string | undefined)[]): Conclusion => ({
    kind,
    because: parts.filter((part) => part !== undefined && part !== "").join("; "),
  })
  const { numbers, tolerated, elsewhere, targets, promotion } = look
  // In a warm-up nothing counts as seen; who is guilty then was seen to be.
  const convictedWarming = guilty !== undefined && sight.intervals === 0
  if (isDark(sight) && !convictedWarming) return say("nodata", inTheDark(sight))
  if (look.proven !== undefined) return say("worse", numbers, look.proven)
  if (guilty === "target") {
    const keeps = look.control === undefined ? "" : " and the control keeps it"
    return say("worse", numbers, `${targets.words}${keeps}`)
  }
  if (guilty === "comparison") return say("worse", numbers, tolerated, elsewhere)
  if (doubt) return say(doubt.kind, numbers, `only advisory: ${doubt.because}`)
  if (isQuiet(sight)) return say("unsure", tooQuiet(sight))
  if (targets.controlBreaks) {
    return say("unsure", numbers, `${targets.words}, which the control breaks as well`)
  }
  if (targets.canaryBreaks) return say("unsure", numbers, `${targets.words}, and it is broken just now`)
  return say(promotion.enough ? "ok" : "unsure", numbers, promotion.because)
}
