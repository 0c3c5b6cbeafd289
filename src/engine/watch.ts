import type { Measurement, Observation, ToldShare } from "../core/model/measurement.ts"
import type { MetricPolicy } from "../core/model/policy.ts"
import type { Instant } from "../core/model/time.ts"
import type { Verdict } from "../core/model/verdict.ts"
import type { Application } from "../core/pipeline/application.ts"
import type { Cohort, MeasureSpec } from "../core/pipeline/effects.ts"
import { type Fact, poolNumber } from "../core/pipeline/input.ts"
import type { RouterCounters } from "../ports/counters.ts"
import type { Interval, Writer } from "../ports/evidence.ts"
import { copiesOf, type Delta, deltaOf, histogram, proportion } from "./deltas.ts"
import { type Judge, judgeFor } from "./judge.ts"
import { Outside } from "./outside.ts"
import type { Parts } from "./parts.ts"

type Reading = {
  readonly at: Instant
  readonly counters: RouterCounters | { readonly blind: string }
  readonly crashes: Crashes
  readonly told: ToldShare | undefined
}
type Crashes = Readonly<Record<number, number>>

/**
 * An interval that took longer than so many usual ones, because the control plane stood still, was looked at twice like
 * any other: it counts as long as these. Otherwise a pause would pass for watching, and end a bake after two looks.
 */
const longestCounted = 2

/**
 * Measures one rollout in one stage: closed intervals go to the evidence first, then to the judge, so that a
 * restart folds the same intervals into the same verdicts.
 */
export class Watch {
  readonly #parts: Pick<Parts, "evidence" | "metrics" | "clock" | "pace">
  readonly #by: Writer
  readonly #judge: Judge
  readonly #metrics: string
  #intervals: { readonly step: number; readonly observed: number }[] = []
  #last: Reading | undefined
  /** Metrics of which the judge has heard anything, be it why there is nothing. */
  readonly #measured = new Set<string>()
  readonly #outside: Outside
  /** Measured, and not yet known to be stored: heard only when it is, so that store and judge agree. */
  #unstored: readonly Interval[] = []

  private constructor(
    by: Writer,
    spec: MeasureSpec,
    parts: Pick<Parts, "evidence" | "metrics" | "clock" | "pace">,
  ) {
    this.#by = by
    this.#parts = parts
    this.#outside = new Outside(by.app, parts)
    this.#judge = judgeFor(spec)
    this.#metrics = JSON.stringify(spec.metrics)
  }

  /** Goes on where the stored evidence ends. */
  static async open(
    by: Writer,
    spec: MeasureSpec,
    parts: Pick<Parts, "evidence" | "metrics" | "clock" | "pace">,
  ): Promise<Watch> {
    const { app } = by
    const watch = new Watch(by, spec, parts)
    if (spec.stage === "shifting" && spec.control)
      watch.#recallControl(await parts.evidence.intervals(app, poolNumber(spec.control.pool), "baking"))
    for (const earlier of spec.earlier)
      watch.#recall(await parts.evidence.intervals(app, earlier, spec.stage))
    for (const interval of await parts.evidence.intervals(app, spec.rollout, spec.stage))
      watch.#hear(interval)
    return watch
  }

  /** Whether it judges by the metrics that are wanted now. */
  judges({ metrics }: MeasureSpec): boolean {
    return JSON.stringify(metrics) === this.#metrics
  }

  /** What is known now. */
  verdicts(): readonly Verdict[] {
    return this.#judge.verdicts()
  }

  /** The same, where a system that was asked and has had no time to answer yet is no reason to call anybody. */
  #verdictsAt(spec: MeasureSpec, now: Instant): readonly Verdict[] {
    const awaited = spec.metrics.filter(
      (metric) => !this.#measured.has(metric.name) && this.#outside.awaits(metric, spec.judgeFrom, now),
    )
    const names = new Set(awaited.map(({ name }) => name))
    return this.verdicts().map((verdict) =>
      verdict.kind === "nodata" && names.has(verdict.metric)
        ? { ...verdict, kind: "unsure", because: "its first answer is awaited" }
        : verdict,
    )
  }

  /**
   * Takes one reading; the fact is undefined until there is an interval to speak of. "fenced" when the application is
   * another's by now: what was measured here is nobody's evidence any more.
   */
  async look(
    state: Application,
    spec: MeasureSpec,
    read: RouterCounters | { readonly blind: string },
    signal: AbortSignal,
  ): Promise<Fact | "fenced" | undefined> {
    const now: Reading = {
      at: this.#parts.clock.now(),
      counters: read,
      crashes: crashesOf(state, spec),
      told: toldOf(state, spec),
    }
    const last = this.#last
    this.#last = now
    if (!last || now.at <= last.at) return undefined
    const interval: Interval = {
      stage: spec.stage,
      step: spec.step,
      from: last.at,
      to: now.at,
      judged: last.at >= spec.judgeFrom,
      measurements: this.#measure(state, spec, last, now, signal),
    }
    this.#unstored = [...this.#unstored, interval]
    if ((await this.#store(spec)) === "fenced") return "fenced"
    const found = this.#verdictsAt(spec, interval.to)
    // A warm-up has nothing to say but that it is far worse than any warm-up explains.
    if (!interval.judged && !found.some(({ kind }) => kind === "worse")) return undefined
    const observed = this.#intervals.reduce(
      (sum, known) => (known.step === spec.step ? sum + known.observed : sum),
      0,
    )
    const kept = await this.#parts.evidence.put(this.#by, {
      app: this.#by.app,
      rollout: spec.rollout,
      region: spec.region,
      stage: spec.stage,
      step: spec.step,
      until: interval.to,
      intervals: this.#intervals.length,
      observed,
      verdicts: found,
    })
    if (kept === "fenced") return "fenced"
    return {
      type: "looked",
      rollout: spec.rollout,
      stage: spec.stage,
      verdicts: found,
      sourceBroken: this.#judge.sourceBroken(),
      observed,
      evidence: kept.hash,
    }
  }

  /** An answer that was lost is asked for again: the same interval is stored once. */
  async #store(spec: MeasureSpec): Promise<"kept" | "fenced"> {
    for (let next = this.#unstored[0]; next; next = this.#unstored[0]) {
      if ((await this.#parts.evidence.addInterval(this.#by, spec.rollout, next)) === "fenced") return "fenced"
      this.#unstored = this.#unstored.slice(1)
      this.#hear(next)
    }
    return "kept"
  }

  /**
   * The control's instances when they had all of the traffic and were watched: how equal instances differ. Who lost
   * the watch without knowing it may still add what reaches over the time of its successor, even beyond the bake.
   */
  #recallControl(intervals: readonly Interval[]): void {
    let watchedUntil = Number.NEGATIVE_INFINITY
    for (const { from, to, measurements } of intervals) {
      if (from < watchedUntil) continue
      watchedUntil = to
      for (const measurement of measurements) this.#judge.observeControlBefore(measurement)
    }
  }

  /** The evidence of an earlier attempt. Its time does not count for this one, and a metric may be new or gone. */
  #recall(intervals: readonly Interval[]): void {
    for (const { judged, measurements } of intervals) {
      for (const measurement of measurements)
        if (this.#judge.metrics.has(measurement.metric)) {
          if (judged) this.#judge.observe(measurement)
          else this.#judge.observeWarmUp(measurement)
        }
    }
    if (intervals.length > 0) this.#judge.tryAgain()
  }

  #hear(interval: Interval): void {
    if (!interval.judged) {
      for (const measurement of interval.measurements) this.#judge.observeWarmUp(measurement)
      return
    }
    const seen = interval.measurements.every((m) => m.canary !== undefined && m.blind === undefined)
    const length = Math.min(interval.to - interval.from, longestCounted * this.#parts.pace.measure)
    this.#intervals.push({ step: interval.step, observed: seen ? length : 0 })
    for (const measurement of interval.measurements) {
      this.#measured.add(measurement.metric)
      this.#judge.observe(measurement)
    }
  }

  #measure(
    state: Application,
    spec: MeasureSpec,
    last: Reading,
    now: Reading,
    signal: AbortSignal,
  ): readonly Measurement[] {
    if (!("blind" in now.counters)) {
      const copied = now.counters.routes[spec.canary.route]?.mirror?.recent
      if (copied) this.#outside.hearCopied(copied, now.counters.at)
    }
    const seen = spec.metrics.flatMap((metric): readonly Measurement[] => {
      switch (metric.source.type) {
        case "router":
          return [fromRouter(metric, spec, last, now)]
        case "agent":
          return [fromAgents(metric, spec, last, now)]
        default:
          this.#outside.ask(metric, state, spec, now.at, signal)
          return []
      }
    })
    const judged = last.at >= spec.judgeFrom
    // An answer that reaches back into the warm-up is not judged with what came after it.
    const arrived = this.#outside.take().filter(({ from }) => !judged || from >= spec.judgeFrom)
    return [...seen, ...arrived]
  }
}

function fromRouter(metric: MetricPolicy, spec: MeasureSpec, last: Reading, now: Reading): Measurement {
  const interval = { metric: metric.name, from: last.at, to: now.at }
  const { counters: before } = last
  const { counters: after } = now
  if ("blind" in after) return { ...interval, blind: after.blind }
  if ("blind" in before) return { ...interval, blind: before.blind }
  const shape = metric.kind === "latency-quantile" ? histogram : proportion
  const side = (cohort: Cohort | undefined, which: "canary" | "control"): Delta | undefined =>
    cohort && deltaOf(cohort, which, before, after)
  const canary = side(spec.canary, "canary")
  const control = side(spec.control, "control")
  const blind = canary ? undefined : "the router began to count anew"
  const told = sameShare(last.told, now.told)
  const seen = { canary: canary && shape(canary), control: control && shape(control), blind }
  const copies = copiesOf(spec.canary, before, after)
  return { ...interval, ...seen, ...(told ? { told } : {}), ...(copies ? { copies } : {}) }
}

/** What the router acknowledged of how the two sides share the traffic; undefined where they do not share one route. */
function toldOf(state: Application, { canary, control, region: name }: MeasureSpec): ToldShare | undefined {
  const region = state.regions.find((known) => known.name === name)
  if (!region || !control || canary.mirrored || canary.route !== control.route) return undefined
  const [mine, other] = [canary, control].map(({ pool }) => region.weights[poolNumber(pool)] ?? 0)
  if (!mine || !other) return undefined
  const policy = state.rollouts[poolNumber(canary.pool)]?.policy.regions.find((known) => known.name === name)
  return { share: mine / (mine + other), sticky: policy !== undefined && policy.sticky.by !== "none" }
}

const sameShare = (before: ToldShare | undefined, now: ToldShare | undefined): ToldShare | undefined =>
  before?.share === now?.share ? now : undefined

/** Crashes that agents saw; an instance-second of exposure is one instance running for one second. */
function fromAgents(metric: MetricPolicy, spec: MeasureSpec, last: Reading, now: Reading): Measurement {
  const seconds = (now.at - last.at) / 1_000
  const side = (cohort: Cohort | undefined): Observation | undefined => {
    if (!cohort) return undefined
    const pool = poolNumber(cohort.pool)
    const events = Math.max(0, (now.crashes[pool] ?? 0) - (last.crashes[pool] ?? 0))
    return { kind: "events", events, exposure: Math.max(1, cohort.instances.length) * seconds }
  }
  return {
    metric: metric.name,
    from: last.at,
    to: now.at,
    canary: side(spec.canary),
    control: side(spec.control),
  }
}

function crashesOf(state: Application, spec: MeasureSpec): Crashes {
  const pools = [spec.canary, spec.control].flatMap((cohort) => (cohort ? [poolNumber(cohort.pool)] : []))
  return Object.fromEntries(pools.map((pool) => [pool, state.rollouts[pool]?.crashes ?? 0]))
}
