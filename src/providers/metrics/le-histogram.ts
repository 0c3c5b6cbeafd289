import { bucketOf } from "../../core/judge/histogram.ts"
import { bucketsPerOctave, type Observation } from "../../core/model/measurement.ts"

/** How many values were at most `le`: Prometheus' classic histogram. `le` is Infinity for all of them. */
export type Cumulative = readonly { readonly le: number; readonly count: number }[]

/**
 * Buckets between bounds as a histogram whose edges are those bounds: what lies between two is put at the upper
 * one, for nothing else is known of it, and the judge tells requests apart at the edges only. What lies above the
 * last finite bound is put an octave above it. Undefined when counts fall with rising bounds, which no histogram
 * does, or when there is no finite bound.
 */
export function histogramOf(cumulative: Cumulative, msPerUnit: number): Observation | undefined {
  const sorted = [...cumulative].sort((a, b) => a.le - b.le)
  const edges = sorted.flatMap(({ le }) => (Number.isFinite(le) ? [bucketOf(le * msPerUnit)] : []))
  const last = edges.at(-1)
  if (last === undefined) return undefined
  const buckets = new Map<number, number>()
  let below = 0
  for (const { le, count } of sorted) {
    if (!Number.isFinite(count) || count < below) return undefined
    const bucket = Number.isFinite(le) ? bucketOf(le * msPerUnit) : last + bucketsPerOctave
    if (count > below) buckets.set(bucket, (buckets.get(bucket) ?? 0) + count - below)
    below = count
  }
  return {
    kind: "histogram",
    buckets: [...buckets].sort(([a], [b]) => a - b),
    edges: [...new Set(edges)],
  }
}
