import { toldApart } from "../../core/judge/instance-share.ts"
import type { Observation } from "../../core/model/measurement.ts"
import type { Duration } from "../../core/model/time.ts"
import type { MetricQuestion, MetricsSource } from "../../ports/metrics.ts"
import { type AskLimits, ask, jsonOf, readBase, usualLimits } from "./ask.ts"
import { histogramOf } from "./le-histogram.ts"
import { type Point, readAnswer, readProblem } from "./promql-answer.ts"
import { factorOf } from "./unit.ts"

/** Between two values of one series: most systems scrape no more often, and one scrape is one measurement. */
const stepMs = 15_000

/**
 * Asks a Prometheus (or Mimir, Thanos, VictoriaMetrics) by PromQL. In a query `${instance}` stands for the
 * ids of the cohort's instances, as a regular expression (`instance="${instance}"` is asked as `=~`), and
 * `${window}` for the length of the interval with its unit, as in `increase(x[${window}])`.
 *
 * A `gauge` is one value per series and step. The other kinds are counts of the interval, asked once, at its end:
 * `events` and `error-proportion` (with `bad`) sum over the series, `latency-quantile` reads series by `le`. Where
 * every series is of one instance, as with `sum by (instance)`, these are told apart.
 */
export function prometheusMetrics(changed: Partial<AskLimits> = {}): MetricsSource {
  const limits = { ...usualLimits, ...changed }
  return {
    async observe(question, signal) {
      const { source, kind } = question.metric
      if (source.type !== "prometheus")
        throw new Error(`metric ${question.metric.name} comes from ${source.type}, not from Prometheus`)
      if (kind === "answers") throw new Error(`metric ${question.metric.name} is not one of Prometheus`)
      if (question.cohort.instances.length === 0) return undefined
      const { url, host } = readBase(source.url, "Prometheus")
      const window = windowOf(question)
      const factor = factorOf(kind, source.query, source.unit)
      const points = async (query: string): Promise<readonly Point[]> => {
        const where = `${url}/api/v1/query_range`
        const answer = await askRange(where, fillIn(query, question), window, limits, signal)
        return readAnswer(answer, window, question.cohort.instances)
      }
      try {
        const [all, bad] = await Promise.all([
          points(source.query),
          source.bad === undefined ? undefined : points(source.bad),
        ])
        switch (kind) {
          case "gauge":
            return apart([all], ([own = []]) => levelOf(own, factor))
          case "events":
            return eventsOf(all, question)
          case "error-proportion":
            return apart([all, bad ?? []], ([own = [], ownBad = []], whole) =>
              // An instance may be the one without a bad request.
              proportionOf(own, whole || ownBad.length > 0 ? ownBad : none),
            )
          case "latency-quantile":
            return apart([all], ([own = []]) => latencyOf(own, factor))
        }
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        throw new Error(`Prometheus at ${host} gave no answer for ${question.metric.name}: ${why}`)
      }
    },
  }
}

const none: readonly Point[] = [{ value: 0, le: undefined, instance: undefined }]

/** What all series show together and, where each is of one instance, what each of these does. */
function apart(
  series: readonly (readonly Point[])[],
  observe: (some: readonly (readonly Point[])[], whole: boolean) => Observation | undefined,
): Observation | undefined {
  const all = observe(series, true)
  const first = series[0] ?? []
  const ids = [...new Set(first.flatMap(({ instance }) => instance ?? []))]
  // `or vector(0)` beside the series of instances says nothing of any of them, and does no harm.
  const nameless = series.flat().some(({ instance, value }) => instance === undefined && value !== 0)
  if (!all || nameless || ids.length === 0) return all
  const each = ids.map((id) => {
    const own = series.map((points) => points.filter(({ instance }) => instance === id))
    return { id, seen: orNothing(() => observe(own, false)) }
  })
  return toldApart(all, each)
}

/** Estimates of one instance may contradict each other where those of all do not: then it tells nothing of itself. */
function orNothing(observe: () => Observation | undefined): Observation | undefined {
  try {
    return observe()
  } catch {
    return undefined
  }
}

const levelOf = (points: readonly Point[], factor: number): Observation | undefined =>
  points.length === 0 ? undefined : { kind: "gauge", values: points.map(({ value }) => value * factor) }

/** `increase` estimates, so that counts come in fractions. */
const sumOf = (points: readonly Point[]): number =>
  Math.round(points.reduce((sum, { value }) => sum + value, 0))

function eventsOf(points: readonly Point[], { cohort, from, to }: MetricQuestion): Observation | undefined {
  if (points.length === 0) return undefined
  const exposure = (cohort.instances.length * (to - from)) / 1_000
  return { kind: "events", events: Math.max(0, sumOf(points)), exposure }
}

/** No series of bad ones is no data and not zero bad ones: the query says `or vector(0)` where it means that. */
function proportionOf(all: readonly Point[], bad: readonly Point[]): Observation | undefined {
  if (all.length === 0 || bad.length === 0) return undefined
  const counts = { total: Math.max(0, sumOf(all)), bad: Math.max(0, sumOf(bad)) }
  // Two estimates of the same requests may differ by a few; more is a query that asks for something else.
  if (counts.bad > counts.total * 1.05 + 2)
    throw new Error(`${counts.bad} bad ones of ${counts.total}: \`bad\` counts what \`query\` does not`)
  return { kind: "proportion", total: counts.total, bad: Math.min(counts.bad, counts.total) }
}

function latencyOf(points: readonly Point[], ms: number): Observation | undefined {
  const counts = new Map<number, number>()
  for (const { le, value } of points) {
    if (le === undefined) throw new Error("its series have no le: ask for sum by (le) of the buckets")
    counts.set(le, (counts.get(le) ?? 0) + value)
  }
  const rising = [...counts]
    .sort(([a], [b]) => a - b)
    .map(([le, count]) => ({ le, count: Math.round(count) }))
  if (rising.length === 0) return undefined
  const histogram = histogramOf(rising, ms)
  if (!histogram) throw new Error("its buckets are not those of a histogram: counts must rise with le")
  return histogram
}

type Window = {
  /** The first step; the last is the end of the interval. */
  readonly start: number
  readonly end: number
  readonly stale: Duration
  readonly oldest: number
  readonly newest: number
}

/** Steps end with the interval and never reach into the one before it. */
function windowOf({ metric, from, to }: MetricQuestion): Window {
  const interval = to - from
  const steps = metric.kind === "gauge" ? Math.max(0, Math.ceil(interval / stepMs) - 1) : 0
  return {
    start: to - steps * stepMs,
    end: to,
    // Two intervals, but not less than the slowest usual scrape.
    stale: Math.max(2 * interval, 60_000),
    oldest: to - 2 * interval,
    newest: to + interval,
  }
}

async function askRange(
  url: string,
  query: string,
  window: Window,
  limits: AskLimits,
  signal: AbortSignal,
): Promise<unknown> {
  const form = new URLSearchParams({
    query,
    start: String(window.start / 1_000),
    end: String(window.end / 1_000),
    step: String(stepMs / 1_000),
    timeout: `${limits.timeoutMs}ms`,
    // How old a sample may be that a step shows. Systems that do not know it keep their own, five minutes.
    lookback_delta: `${Math.ceil(window.stale / 1_000)}s`,
  })
  const what = { method: "POST", accept: "application/json", form: form.toString() } as const
  const answer = await ask(url, what, limits, signal)
  if (answer.status !== 200) {
    const problem = readProblem(answer.text)
    throw new Error(`it answered ${answer.status}${problem === undefined ? "" : `: ${problem}`}`)
  }
  return jsonOf(answer)
}

/** The query with the cohort's instances and the interval's length. */
export function fillIn(query: string, { cohort, from, to }: MetricQuestion): string {
  const ids = cohort.instances.map((id) => {
    if (!/^[A-Za-z0-9_.:/-]+$/.test(id))
      throw new Error(`the instance id ${JSON.stringify(id)} cannot stand in a query`)
    // A class instead of a backslash: it means the same in every kind of PromQL string.
    return id.replaceAll(".", "[.]")
  })
  // In a group, so that what stands beside it in the query is beside each of them.
  const anyOf = ids.length === 1 ? ids.join() : `(?:${ids.join("|")})`
  const window = `${Math.max(1, Math.ceil((to - from) / 1_000))}s`
  return query
    .replace(
      /(!?)=(\s*["'`])\$\{instance\}/g,
      (_, not: string, quote: string) => `${not === "" ? "=~" : "!~"}${quote}\${instance}`,
    )
    .replace(/\$\{instance\}/g, anyOf)
    .replace(/\$\{window\}/g, window)
}
