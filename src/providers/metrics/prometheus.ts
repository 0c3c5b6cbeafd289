import { request } from "undici"
import type { Observation } from "../../core/model/measurement.ts"
import type { Duration } from "../../core/model/time.ts"
import type { MetricQuestion, MetricsSource } from "../../ports/metrics.ts"
import { readAnswer, readProblem } from "./promql-answer.ts"

export type PrometheusLimits = {
  /** For the whole answer, in milliseconds. */
  readonly timeoutMs: number
  /** Bytes of an answer. */
  readonly answerBytes: number
}

const defaults: PrometheusLimits = { timeoutMs: 5_000, answerBytes: 5 * 1024 * 1024 }

/** Between two values of one series: most systems scrape no more often, and one scrape is one measurement. */
const stepMs = 15_000

/**
 * Asks a Prometheus (or Mimir, Thanos, VictoriaMetrics) by PromQL. In a query `${instance}` stands for the
 * ids of the cohort's instances, as a regular expression (`instance="${instance}"` is asked as `=~`), and
 * `${window}` for the length of the interval with its unit, as in `rate(x[${window}])`.
 *
 * Whatever the metric's kind, what comes back is a `gauge`: one value per series and step. A ratio that
 * PromQL made has lost its counts, so a proportion from here is a level, and advisory; proportions that are
 * tested as such come from the router.
 */
export function prometheusMetrics(changed: Partial<PrometheusLimits> = {}): MetricsSource {
  const limits = { ...defaults, ...changed }
  return {
    async observe(question, signal) {
      const { source } = question.metric
      if (source.type !== "prometheus")
        throw new Error(`metric ${question.metric.name} comes from ${source.type}, not from Prometheus`)
      if (question.cohort.instances.length === 0) return undefined
      const { origin, host } = readBase(source.url)
      const window = windowOf(question)
      const form = new URLSearchParams({
        query: fillIn(source.query, question),
        start: String(window.start / 1_000),
        end: String(question.to / 1_000),
        step: String(stepMs / 1_000),
        timeout: `${limits.timeoutMs}ms`,
        // How old a sample may be that a step shows. Systems that do not know it keep their own, five minutes.
        lookback_delta: `${Math.ceil(window.stale / 1_000)}s`,
      })
      try {
        return await ask(`${origin}/api/v1/query_range`, form, window, limits, signal)
      } catch (error) {
        throw new Error(
          `Prometheus at ${host} gave no answer for ${question.metric.name}: ${sentence(error, limits)}`,
        )
      }
    },
  }
}

type Window = {
  /** The first step; the last is the end of the interval. */
  readonly start: number
  readonly stale: Duration
  readonly oldest: number
  readonly newest: number
}

/** Steps end with the interval and never reach into the one before it. */
function windowOf({ from, to }: MetricQuestion): Window {
  const interval = to - from
  const steps = Math.max(0, Math.ceil(interval / stepMs) - 1)
  return {
    start: to - steps * stepMs,
    // Two intervals, but not less than the slowest usual scrape.
    stale: Math.max(2 * interval, 60_000),
    oldest: to - 2 * interval,
    newest: to + interval,
  }
}

async function ask(
  url: string,
  form: URLSearchParams,
  window: Window,
  limits: PrometheusLimits,
  signal: AbortSignal,
): Promise<Observation | undefined> {
  const { statusCode, headers, body } = await request(url, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
    body: form.toString(),
    signal: AbortSignal.any([signal, AbortSignal.timeout(limits.timeoutMs)]),
  })
  const text = await readCapped(body, limits.answerBytes)
  if (statusCode !== 200) {
    const problem = readProblem(text)
    throw new Error(`it answered ${statusCode}${problem === undefined ? "" : `: ${problem}`}`)
  }
  const type = String(headers["content-type"] ?? "nothing")
  if (!type.startsWith("application/json"))
    throw new Error(`it answered with ${type.slice(0, 60)}, not with JSON`)
  return readAnswer(text, window)
}

/** Breaks the connection off when more comes than is allowed. */
async function readCapped(body: AsyncIterable<Buffer>, limit: number): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of body) {
    bytes += part.length
    if (bytes > limit) throw new Error(`its answer is larger than ${limit.toLocaleString("en")} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString("utf8")
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

function readBase(text: string): { readonly origin: string; readonly host: string } {
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol))
    throw new Error(
      `the address of Prometheus, ${JSON.stringify(text.slice(0, 100))}, is not one of http or https`,
    )
  if (url.username !== "" || url.password !== "")
    throw new Error(
      `the address of Prometheus at ${url.host} contains credentials, which would be stored and shown`,
    )
  return { origin: `${url.origin}${url.pathname.replace(/\/+$/, "")}`, host: url.host }
}

function sentence(error: unknown, limits: PrometheusLimits): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === "TimeoutError") return `it took longer than ${limits.timeoutMs / 1_000} s`
  if (error.name === "AbortError") return "it was asked to stop"
  return error.message || String("code" in error ? error.code : error.name)
}
