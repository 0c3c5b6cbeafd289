import { readJsonPath } from "../core/model/json-path.ts"
import type { MetricPolicy, MetricSourcePolicy } from "../core/model/policy.ts"
import { readSelector } from "../core/model/selector.ts"
import type { MetricFile, SourceFile } from "./schema.ts"
import { durationOf } from "./units.ts"

type Kind = MetricPolicy["kind"]

/** How one type of source is written in immunity.yaml. */
type SourceType = {
  readonly kinds: readonly Kind[]
  /** Keys of the source, beside `type` and `every`; those with `!` must be there. */
  readonly keys: readonly string[]
  /** What is wrong with a metric's own words; undefined when nothing is. */
  readonly wrong: (source: SourceFile, metric: MetricFile, kind: Kind) => string | undefined
  readonly policy: (source: SourceFile, metric: MetricFile) => MetricSourcePolicy
}

const asked = (source: SourceFile, { query = "", bad, unit }: MetricFile) => ({
  query,
  ...(bad === undefined ? {} : { bad }),
  ...(unit === undefined ? {} : { unit }),
  ...(source.every === undefined ? {} : { every: durationOf(source.every) }),
})

/** Every type of source: one line here, one file in src/providers/metrics. */
const types: Readonly<Record<SourceFile["type"], SourceType>> = {
  prometheus: {
    kinds: ["gauge", "events", "error-proportion", "latency-quantile"],
    keys: ["url!"],
    wrong: (_, { query = "" }, kind) =>
      kind !== "gauge" && !query.includes(`\${window}`)
        ? `\`query\` must count over the interval between two looks, or the same ones count again and again: increase(...[\${window}])`
        : undefined,
    policy: (source, metric) => ({ type: "prometheus", url: source.url ?? "", ...asked(source, metric) }),
  },
  scrape: {
    kinds: ["gauge", "events", "error-proportion", "latency-quantile"],
    keys: ["path"],
    wrong: (_, metric) => problemOf(readSelector, metric),
    policy: (source, metric) => ({
      type: "scrape",
      path: source.path ?? "/metrics",
      ...asked(source, metric),
    }),
  },
  json: {
    kinds: ["gauge", "events", "error-proportion"],
    keys: ["url!", "time"],
    wrong: ({ url = "", time }, metric) =>
      /\$\{(instance|address)\}/.test(url)
        ? problemOf(readJsonPath, { ...metric, unit: undefined }, time)
        : `the url of its source must say which instance: put \${instance} or \${address} into it`,
    policy: (source, metric) => ({
      type: "json",
      url: source.url ?? "",
      ...asked(source, metric),
      ...(source.time === undefined ? {} : { time: source.time }),
    }),
  },
  push: {
    kinds: ["gauge", "events", "error-proportion", "latency-quantile"],
    keys: [],
    wrong: (_, { query, bad }) =>
      query === undefined && bad === undefined ? undefined : "the instances push it: there is nothing to ask",
    policy: ({ every }) => ({ type: "push", ...(every === undefined ? {} : { every: durationOf(every) }) }),
  },
}

/** What is wrong with a source, and at which of its keys; undefined when nothing is. */
export function sourceProblem(
  source: SourceFile,
): { readonly key: string; readonly message: string } | undefined {
  const keys = types[source.type].keys
  const given = Object.entries(source).flatMap(([key, value]) => (value === undefined ? [] : [key]))
  const known = ["type", "every", ...keys.map((key) => key.replace("!", ""))]
  const foreign = given.find((key) => !known.includes(key))
  if (foreign !== undefined)
    return {
      key: foreign,
      message: `a source of type ${source.type} has no ${foreign}; it has: ${known.join(", ")}`,
    }
  const missing = keys.find((key) => key.endsWith("!") && !given.includes(key.slice(0, -1)))
  if (missing !== undefined)
    return { key: "type", message: `a source of type ${source.type} needs ${missing.slice(0, -1)}` }
  return undefined
}

/** What is wrong with a metric that comes from this source; undefined when nothing is. */
export function metricProblem(name: string, metric: MetricFile, source: SourceFile): string | undefined {
  const type = types[source.type]
  const kind = kindOf(metric)
  if (!type.kinds.includes(kind))
    return `${name} is of kind ${kind}, which ${source.type} cannot give: ${type.kinds.join(", ")}`
  if (source.type !== "push") {
    if (!metric.query) return `${name} asks ${source.type} and has no query`
    if (kind === "error-proportion" && !metric.bad)
      return `${name} needs \`bad\` as well: \`query\` counts all requests, \`bad\` the bad ones`
    if (kind !== "error-proportion" && metric.bad)
      return `${name} has \`bad\`, which is for kind: error-proportion`
  }
  const wrong = type.wrong(source, metric, kind)
  return wrong && `${name}: ${wrong}`
}

/** From a source outside, a metric is a level unless it says something else. */
export const kindOf = (metric: MetricFile): Kind => (metric.kind ?? "gauge") as Kind

export const sourcePolicy = (source: SourceFile, metric: MetricFile): MetricSourcePolicy =>
  types[source.type].policy(source, metric)

/** `push` needs no words of its own; the others are named under `sources`. */
export const sourcesOf = (
  named: Readonly<Record<string, SourceFile>> | undefined,
): Readonly<Record<string, SourceFile>> => ({ push: { type: "push" }, ...named })

function problemOf(
  read: (text: string) => unknown,
  { query, bad }: MetricFile,
  time?: string,
): string | undefined {
  for (const text of [query, bad, time]) {
    try {
      if (text !== undefined) read(text)
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
  return undefined
}
