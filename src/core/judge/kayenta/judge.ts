import type { Measurement, Observation } from "../../model/measurement.ts"
import type { KayentaPolicy, MetricPolicy } from "../../model/policy.ts"
import type { Verdict } from "../../model/verdict.ts"
import { type JudgeState, observe, observeWarmUp, tryAgain, verdicts } from "../judge.ts"
import { short } from "../words.ts"
import { noEffectAsked } from "./classify.ts"
import { type JudgedMetric, judgeSeries, type KayentaMetric } from "./judge-series.ts"
import { addObservation, pointOf } from "./points.ts"
import { gradeOf, type Score } from "./score.ts"

/**
 * Kayenta's judgement in the place of ours, for those who have its thresholds and trust them. Ours goes on beside
 * it for what Kayenta has not: whether a metric can be seen at all, and the numbers on the page. Plain JSON data.
 */
export type KayentaState = {
  readonly policy: KayentaPolicy
  readonly own: JudgeState
  readonly series: readonly Series[]
  readonly last: Judgement | undefined
}

type Series = {
  readonly metric: MetricPolicy
  readonly canary: readonly (number | null)[]
  readonly control: readonly (number | null)[]
  readonly open: Point | undefined
}

/** What is being put together to one point of both sides. */
type Point = {
  readonly since: number
  readonly canary: Observation | undefined
  readonly control: Observation | undefined
}

type Judgement = {
  readonly points: number
  readonly metrics: readonly JudgedMetric[]
  readonly score: Score
}

/** One point is so long, in milliseconds, or longer where a source is asked less often. */
const pointMs = 5_000
/** Spinnaker wants "at least 50 pieces of time series data per metric"; so often the window is judged, growing. */
const pointsPerLook = 50

export const startKayenta = (own: JudgeState, policy: KayentaPolicy): KayentaState => ({
  policy,
  own,
  series: own.metrics.map(({ policy: metric }) => ({ metric, canary: [], control: [], open: undefined })),
  last: undefined,
})

/** Adds a closed interval. When another fifty points are complete, everything since the start is judged. */
export function observeKayenta(state: KayentaState, measurement: Measurement): KayentaState {
  const own = observe(state.own, measurement)
  const series = state.series.map((one) =>
    one.metric.name === measurement.metric ? withMeasurement(one, measurement) : one,
  )
  const points = Math.min(...series.map(({ canary }) => canary.length))
  const due = Math.floor(points / pointsPerLook) > Math.floor((state.last?.points ?? 0) / pointsPerLook)
  return { ...state, own, series, last: due ? judged(state.policy, series, points) : state.last }
}

/** The warm-up teaches Kayenta nothing. */
export const calibrateKayenta = (state: KayentaState, measurement: Measurement): KayentaState => ({
  ...state,
  own: observeWarmUp(state.own, measurement),
})

/** Kayenta remembers nothing of an earlier attempt. */
export const tryKayentaAgain = ({ policy, own }: KayentaState): KayentaState =>
  startKayenta(tryAgain(own), policy)

function withMeasurement(series: Series, { from, to, canary, control }: Measurement): Series {
  const open = series.open ?? { since: from, canary: undefined, control: undefined }
  const point = {
    since: open.since,
    canary: addObservation(open.canary, canary),
    control: addObservation(open.control, control),
  }
  if (to - point.since < pointMs) return { ...series, open: point }
  return {
    ...series,
    canary: [...series.canary, pointOf(point.canary, series.metric) ?? null],
    control: [...series.control, pointOf(point.control, series.metric) ?? null],
    open: undefined,
  }
}

function judged(policy: KayentaPolicy, series: readonly Series[], points: number): Judgement {
  const numbers = (values: readonly (number | null)[]) => values.map((value) => value ?? Number.NaN)
  const metrics = series.map(({ metric }) => kayentaMetric(metric, policy))
  const found = judgeSeries(
    metrics,
    (name) => {
      const one = series.find(({ metric }) => metric.name === name)
      return { canary: numbers(one?.canary ?? []), control: numbers(one?.control ?? []) }
    },
    policy.groups,
  )
  return { points, ...found }
}

/** A metric in Kayenta's words: what the file says for it, else what our own words come closest to. */
function kayentaMetric(metric: MetricPolicy, { metrics }: KayentaPolicy): KayentaMetric {
  const said = metrics[metric.name] ?? {}
  const measure = said.effect ?? "meanRatio"
  const neutral = noEffectAsked(measure)
  // Without thresholds of Kayenta's own, our tolerance is one: 20 % is 1.2 times, or 1/1.2.
  const tolerated = measure === "meanRatio" ? 1 + metric.tolerateRatio : undefined
  const allowedIncrease = said.allowedIncrease ?? tolerated ?? neutral.allowedIncrease
  const allowedDecrease =
    said.allowedDecrease ?? (tolerated === undefined ? neutral.allowedDecrease : 1 / tolerated)
  return {
    name: metric.name,
    groups: said.groups ?? ["all"],
    direction: said.direction ?? (metric.worse === "up" ? "increase" : "decrease"),
    nanStrategy: said.nan ?? "remove",
    critical: metric.critical,
    mustHaveData: said.mustHaveData ?? false,
    outlierFactor: said.outliers,
    muted: said.muted,
    effect: {
      measure,
      allowedIncrease,
      allowedDecrease,
      criticalIncrease: said.criticalIncrease ?? neutral.criticalIncrease,
      criticalDecrease: said.criticalDecrease ?? neutral.criticalDecrease,
    },
  }
}

/**
 * One verdict per metric. The score decides: at `pass` every metric is ok; below `marginal` those that failed are
 * worse, and critical, for the score condemns the release; between the two they are unsure.
 */
export function kayentaVerdicts({ own, last, policy, series }: KayentaState): readonly Verdict[] {
  const points = Math.min(...series.map(({ canary }) => canary.length))
  return verdicts(own).map((seen): Verdict => {
    const base = { ...seen, logEvidence: 0, controlAlsoBad: false }
    if (seen.kind === "nodata") return base
    const found = last?.metrics.find(({ name }) => name === seen.metric)
    if (!last || !found)
      return {
        ...base,
        kind: "unsure",
        because: `${points} of ${pointsPerLook} points that Kayenta's judge waits for`,
      }
    const kind = kindOf(found, last.score, policy, policy.metrics[seen.metric]?.muted === true)
    return { ...base, kind, critical: seen.critical || kind === "worse", because: told(found, last, policy) }
  })
}

function kindOf(
  { label }: JudgedMetric,
  { total }: Score,
  policy: KayentaPolicy,
  muted: boolean,
): Verdict["kind"] {
  if (label === "Nodata" || label === "NodataFailMetric") return "nodata"
  const grade = gradeOf(total, policy)
  if (label === "Pass" || muted || grade === "Pass") return "ok"
  return grade === "Marginal" ? "unsure" : "worse"
}

function told({ label, canary, control }: JudgedMetric, last: Judgement, policy: KayentaPolicy): string {
  const { total, zeroBecause } = last.score
  const score = `score ${short(total)}${zeroBecause ? ` for ${zeroBecause}` : ""}`
  const needed = `${gradeOf(total, policy).toLowerCase()}: ${short(policy.pass)} passes, below ${short(policy.marginal)} fails`
  if (canary.count === 0 || control.count === 0)
    return `Kayenta had no data of ${last.points} points; ${score}, ${needed}`
  return `Kayenta says ${label}: ${short(canary.mean)} on average over ${canary.count} points, control ${short(control.mean)}; ${score}, ${needed}`
}
