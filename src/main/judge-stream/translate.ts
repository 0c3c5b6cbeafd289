import { bucketAtOrAbove } from "../../core/judge/histogram.ts"
import { toldApart } from "../../core/judge/instance-share.ts"
import type { Observation } from "../../core/model/measurement.ts"
import { bucketsPerOctave } from "../../core/model/measurement.ts"
import type { MetricPolicy } from "../../core/model/policy.ts"
import type { Obs, StreamMetric } from "./contract.ts"

const kinds = {
  proportion: "error-proportion",
  count: "events",
  "latency-histogram": "latency-quantile",
  gauge: "gauge",
} as const

/** A metric of the stream as the policy of one of ours. */
export function policyOf(metric: StreamMetric): MetricPolicy {
  const { rel, abs } = metric.margin
  const up = metric.direction === "increase-is-bad"
  return {
    name: metric.name,
    source: { type: "router" },
    kind: kinds[metric.kind],
    worse: up ? "up" : "down",
    critical: metric.critical,
    // Where less is worse the control may be 1/(1 − rel) times the canary.
    tolerateRatio: up ? rel : 1 / (1 - rel) - 1,
    // Events are tolerated per minute of exposure, in the stream per unit of it.
    tolerateDelta: metric.kind === "count" ? abs * 60 : abs,
    ...(metric.kind === "latency-histogram" ? { quantile: 0.95 } : {}),
  }
}

/**
 * What one role showed of a metric in one interval; undefined when it is missing. Instances are told apart where each
 * line names one. Those of a gauge are not: every stream names them, and its header's margin is what they may differ by.
 */
export function observationOf(
  metric: StreamMetric,
  added: readonly Obs[] | undefined,
): Observation | undefined {
  if (!added || added.length === 0) return undefined
  const all = sumOf(metric, added)
  if (metric.kind === "gauge" || !added.every(({ instance }) => instance !== undefined)) return all
  const each = Map.groupBy(added, ({ instance }) => instance ?? "")
  return toldApart(
    all,
    [...each].map(([id, own]) => ({ id, seen: sumOf(metric, own) })),
  )
}

function sumOf(metric: StreamMetric, added: readonly Obs[]): Observation {
  const sum = (field: "errors" | "total" | "events" | "exposure") =>
    added.reduce((all, obs) => all + (obs[field] ?? 0), 0)
  switch (metric.kind) {
    case "proportion":
      return { kind: "proportion", total: sum("total"), bad: sum("errors") }
    case "count":
      return { kind: "events", events: sum("events"), exposure: sum("exposure") }
    case "gauge":
      return { kind: "gauge", values: added.map(({ value }) => Number(value ?? Number.NaN)) }
    default:
      return histogramOf(metric, added)
  }
}

/** Each bound's count in the bucket that ends there; what is beyond the last one, an octave later. */
function histogramOf(metric: StreamMetric, added: readonly Obs[]): Observation {
  const edges = (metric.le ?? []).map(Number).filter(Number.isFinite).map(bucketAtOrAbove)
  const beyond = (edges.at(-1) ?? 0) + bucketsPerOctave
  const buckets = [...edges, beyond].map((bucket, i): readonly [number, number] => [
    bucket,
    added.reduce((all, { counts }) => all + (counts?.[i] ?? 0), 0),
  ])
  return { kind: "histogram", buckets: buckets.filter(([, count]) => count > 0), edges }
}
