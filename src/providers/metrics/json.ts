import { atJsonPath, readJsonPath } from "../../core/model/json-path.ts"
import type { Observation } from "../../core/model/measurement.ts"
import type { Instant } from "../../core/model/time.ts"
import type { MetricQuestion, MetricsSource } from "../../ports/metrics.ts"
import { type AskLimits, ask, jsonOf, readBase, usualLimits } from "./ask.ts"
import { together } from "./together.ts"
import { factorOf } from "./unit.ts"

/**
 * Asks any system that answers in JSON, once for every instance: in its address `${instance}` stands for the
 * instance's id, `${address}` for where the instance itself answers, `${window}` for the interval's length (`5s`).
 * `query` is the path to the number: a level for `gauge`, what happened in the window for `events` and, with `bad`,
 * for `error-proportion`. `time` is the path to when it was measured: without it, an old number cannot be told
 * from a new one.
 */
export function jsonMetrics(changed: Partial<AskLimits> = {}): MetricsSource {
  const limits = { ...usualLimits, ...changed }
  return {
    async observe(question, signal) {
      const { metric, cohort, addresses } = question
      const { source } = metric
      if (source.type !== "json")
        throw new Error(`metric ${metric.name} comes from ${source.type}, not from a JSON answer`)
      return together(cohort.instances, async (instance) => {
        const address = addresses[instance]
        if (address === undefined && source.url.includes(`\${address}`)) return undefined
        const { href, host } = readBase(
          fillIn(source.url, instance, address ?? "", question),
          "a JSON source",
        )
        try {
          const answer = await ask(href, { method: "GET", accept: "application/json" }, limits, signal)
          if (answer.status !== 200) throw new Error(`it answered ${answer.status}`)
          return readNumbers(jsonOf(answer), source, question)
        } catch (error) {
          const why = error instanceof Error ? error.message : String(error)
          throw new Error(`${host} gave no answer for ${metric.name} of ${instance}: ${why}`)
        }
      })
    },
  }
}

function fillIn(url: string, instance: string, address: string, { from, to }: MetricQuestion): string {
  return url
    .replaceAll(`\${address}`, () => address)
    .replaceAll(`\${instance}`, () => encodeURIComponent(instance))
    .replaceAll(`\${window}`, `${Math.max(1, Math.ceil((to - from) / 1_000))}s`)
}

type Paths = {
  readonly query: string
  readonly bad?: string | undefined
  readonly time?: string | undefined
  readonly unit?: "ms" | "s" | "bytes" | undefined
}

function readNumbers(answer: unknown, paths: Paths, question: MetricQuestion): Observation | undefined {
  const value = numberAt(answer, paths.query)
  if (value === undefined || !isOfNow(answer, paths.time, question)) return undefined
  const { metric, from, to } = question
  if (metric.kind === "gauge")
    return { kind: "gauge", values: [value * factorOf("gauge", paths.query, paths.unit)] }
  if (value < 0) throw new Error(`${paths.query} is ${value}, and no count is negative`)
  if (metric.kind === "events")
    return { kind: "events", events: Math.round(value), exposure: (to - from) / 1_000 }
  if (metric.kind !== "error-proportion" || paths.bad === undefined)
    throw new Error(`one number does not make a ${metric.kind}`)
  const bad = numberAt(answer, paths.bad)
  if (bad === undefined) return undefined
  if (bad < 0 || bad > value)
    throw new Error(`${paths.bad} is ${bad} of ${value}: the bad ones are some of all`)
  return { kind: "proportion", total: Math.round(value), bad: Math.round(bad) }
}

/** A finite number, also written as text. Null, NaN and infinities are none. */
function numberAt(answer: unknown, path: string): number | undefined {
  const found = atJsonPath(answer, readJsonPath(path))
  if (found === undefined) return undefined
  if (typeof found !== "number" && typeof found !== "string")
    throw new Error(`${path} is not a number: ${JSON.stringify(found).slice(0, 60)}`)
  if (typeof found === "string" && /^([+-]?inf(inity)?|nan|)$/i.test(found.trim())) return undefined
  const value = Number(found)
  if (Number.isNaN(value)) throw new Error(`${path} is not a number: ${JSON.stringify(found).slice(0, 60)}`)
  return Number.isFinite(value) ? value : undefined
}

function isOfNow(answer: unknown, path: string | undefined, { from, to }: MetricQuestion): boolean {
  if (path === undefined) return true
  const at = instantOf(atJsonPath(answer, readJsonPath(path)))
  if (at === undefined) throw new Error(`${path} is not a time`)
  return at >= to - 2 * (to - from) && at <= to + (to - from)
}

/** Seconds or milliseconds since 1970, or a date in ISO 8601. */
function instantOf(found: unknown): Instant | undefined {
  const at =
    typeof found === "number"
      ? found * (Math.abs(found) < 1e11 ? 1_000 : 1)
      : typeof found === "string"
        ? Date.parse(found)
        : Number.NaN
  return Number.isNaN(at) ? undefined : at
}
