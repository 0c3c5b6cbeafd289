import { middleOf } from "../../core/judge/histogram.ts"
import { addHistogram, nothingSpread, quantileBucket } from "../../core/judge/spread.ts"
import type { Observation } from "../../core/model/measurement.ts"
import type { MetricPolicy } from "../../core/model/policy.ts"
import type { Interval } from "../../ports/evidence.ts"
import type { Series } from "../contract/views.ts"

/** As many points as a small chart can show apart. */
const mostPoints = 48

/** What canary and control showed over time, as lines to draw; a cohort that could not be seen leaves a gap. */
export function seriesOf(metrics: readonly MetricPolicy[], intervals: readonly Interval[]): Series[] {
  const last = intervals.at(-1)
  const shown = intervals.filter(({ stage }) => stage === last?.stage)
  const width = Math.max(1, Math.ceil(shown.length / mostPoints))
  return metrics.flatMap((metric) => {
    const points = Array.from({ length: Math.ceil(shown.length / width) }, (_, i) => {
      const part = shown.slice(i * width, (i + 1) * width)
      const seen = part.flatMap(({ measurements }) => measurements.filter((m) => m.metric === metric.name))
      return {
        at: part.at(-1)?.to ?? 0,
        canary: numberOf(
          metric,
          seen.map(({ canary }) => canary),
        ),
        control: numberOf(
          metric,
          seen.map(({ control }) => control),
        ),
      }
    })
    const drawable = points.filter(({ canary }) => canary !== undefined).length >= 2
    return drawable ? [{ metric: metric.name, points }] : []
  })
}

/** Several intervals of one cohort as the one number that people know the metric by. */
function numberOf(
  metric: MetricPolicy,
  observations: readonly (Observation | undefined)[],
): number | undefined {
  const seen = observations.filter((observation) => observation !== undefined)
  switch (metric.kind) {
    case "error-proportion": {
      const proportions = seen.flatMap((one) => (one.kind === "proportion" ? [one] : []))
      const total = sum(proportions.map((one) => one.total))
      return total === 0 ? undefined : sum(proportions.map((one) => one.bad)) / total
    }
    case "latency-quantile": {
      const histograms = seen.flatMap((one) => (one.kind === "histogram" ? [one.buckets] : []))
      const bucket = quantileBucket(histograms.reduce(addHistogram, nothingSpread), metric.quantile ?? 0.95)
      return bucket === undefined ? undefined : middleOf(bucket)
    }
    case "events": {
      const events = seen.flatMap((one) => (one.kind === "events" ? [one] : []))
      const exposure = sum(events.map((one) => one.exposure))
      return exposure === 0 ? undefined : (60 * sum(events.map((one) => one.events))) / exposure
    }
    case "gauge": {
      const values = seen.flatMap((one) => (one.kind === "gauge" ? one.values : []))
      return values.length === 0 ? undefined : sum(values) / values.length
    }
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
