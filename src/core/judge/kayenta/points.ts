import type { Observation } from "../../model/measurement.ts"
import type { MetricPolicy } from "../../model/policy.ts"
import { mergeHistograms, middleOf, noTails } from "../histogram.ts"
import { readEvents, readGauge, readProportion, readTails } from "../readings.ts"
import { addHistogram, nothingSpread, quantileBucket } from "../spread.ts"
import { meanOf } from "./series.ts"

const perMinute = 60

/** Both together; what was not seen adds nothing, and what is of another kind is not mixed in. */
export function addObservation(
  a: Observation | undefined,
  b: Observation | undefined,
): Observation | undefined {
  if (!a || !b) return a ?? b
  if (a.kind === "proportion" && b.kind === "proportion")
    return { kind: "proportion", total: a.total + b.total, bad: a.bad + b.bad }
  if (a.kind === "events" && b.kind === "events")
    return { kind: "events", events: a.events + b.events, exposure: a.exposure + b.exposure }
  if (a.kind === "histogram" && b.kind === "histogram")
    return { kind: "histogram", buckets: mergeHistograms(a.buckets, b.buckets) }
  if (a.kind === "gauge" && b.kind === "gauge") return { kind: "gauge", values: [...a.values, ...b.values] }
  return a
}

/** One number for a time series: the rate, the quantile, the level. Undefined when nothing was seen. */
export function pointOf(seen: Observation | undefined, metric: MetricPolicy): number | undefined {
  switch (metric.kind) {
    case "error-proportion": {
      const counts = readProportion(seen)
      return counts && counts.n > 0 ? counts.k / counts.n : undefined
    }
    case "events": {
      const counts = readEvents(seen)
      return counts && counts.n > 0 ? (counts.k / counts.n) * perMinute : undefined
    }
    case "latency-quantile": {
      const spread = addHistogram(nothingSpread, (readTails(seen) ?? noTails).histogram)
      const bucket = quantileBucket(spread, metric.quantile ?? 0.5)
      return bucket === undefined ? undefined : middleOf(bucket)
    }
    case "answers":
      return undefined
    case "gauge": {
      const values = readGauge(seen) ?? []
      return values.length > 0 ? meanOf(values) : undefined
    }
  }
}
