import type { Histogram, Observation } from "../model/measurement.ts"
import type { Counts } from "./tally.ts"

// What cannot be right is not an observation. It is absent, never zero: a zero would be evidence.

const isCount = (n: number): boolean => Number.isFinite(n) && n >= 0

/** `k` bad of `n`. */
export function readProportion(seen: Observation | undefined): Counts | undefined {
  if (seen?.kind !== "proportion" || !isCount(seen.total) || !isCount(seen.bad)) return undefined
  return seen.bad <= seen.total ? { n: seen.total, k: seen.bad } : undefined
}

/** `k` events in `n` instance-seconds. */
export function readEvents(seen: Observation | undefined): Counts | undefined {
  if (seen?.kind !== "events" || !isCount(seen.events) || !isCount(seen.exposure)) return undefined
  return { n: seen.exposure, k: seen.events }
}

export function readHistogram(seen: Observation | undefined): Histogram | undefined {
  if (seen?.kind !== "histogram") return undefined
  let rising = true
  let last = Number.NEGATIVE_INFINITY
  for (let i = 0; i < seen.buckets.length; i++) {
    const bucket = seen.buckets[i]
    if (!bucket || !Number.isInteger(bucket[0]) || !isCount(bucket[1])) return undefined
    if (bucket[0] <= last) rising = false
    last = bucket[0]
  }
  return rising ? seen.buckets : [...seen.buckets].sort(([a], [b]) => a - b)
}

/** The finite samples; a scrape that only gave NaN is absent. */
export function readGauge(seen: Observation | undefined): readonly number[] | undefined {
  if (seen?.kind !== "gauge") return undefined
  const values = seen.values.filter((value) => Number.isFinite(value))
  return seen.values.length > 0 && values.length === 0 ? undefined : values
}

export const edgesOf = (seen: Observation | undefined): readonly number[] | undefined =>
  seen?.kind === "histogram" ? seen.edges : undefined
