import type { Histogram, Observation } from "../model/measurement.ts"
import type { Tails } from "./histogram.ts"
import { tailsOf } from "./histogram.ts"
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

const isSound = (bucket: Histogram[number] | undefined): bucket is Histogram[number] =>
  bucket !== undefined && Number.isInteger(bucket[0]) && isCount(bucket[1])

/** A histogram, its buckets rising, with its counts from each bucket on. Checked and summed up in one pass. */
export function readTails(seen: Observation | undefined): Tails | undefined {
  if (seen?.kind !== "histogram") return undefined
  const { buckets } = seen
  const fromHere = new Array<number>(buckets.length)
  let sum = 0
  let rising = true
  let next = Number.POSITIVE_INFINITY
  for (let i = buckets.length - 1; i >= 0; i--) {
    const bucket = buckets[i]
    if (!isSound(bucket)) return undefined
    if (bucket[0] >= next) rising = false
    next = bucket[0]
    sum += bucket[1]
    fromHere[i] = sum
  }
  return rising ? { histogram: buckets, fromHere } : tailsOf([...buckets].sort(([a], [b]) => a - b))
}

/** The finite samples; a scrape that only gave NaN is absent. */
export function readGauge(seen: Observation | undefined): readonly number[] | undefined {
  if (seen?.kind !== "gauge") return undefined
  const values = seen.values.filter((value) => Number.isFinite(value))
  return seen.values.length > 0 && values.length === 0 ? undefined : values
}

export const edgesOf = (seen: Observation | undefined): readonly number[] | undefined =>
  seen?.kind === "histogram" ? seen.edges : undefined
