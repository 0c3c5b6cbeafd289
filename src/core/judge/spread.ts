import type { Histogram } from "../model/measurement.ts"
import { bucketsPerOctave } from "../model/measurement.ts"
import type { PackedCounts } from "./packed-counts.ts"
import { addPacked, countAt, noCounts, pack, placesOf, roomIn, sumFrom, unpack } from "./packed-counts.ts"

/**
 * Latencies counted bucket by bucket without gaps: they lie close together, and a row of counts is added and searched
 * many times faster than pairs of bucket and count. The first of the counts is of bucket `first`.
 */
export type Spread = {
  readonly first: number
  readonly counts: PackedCounts
  readonly total: number
}

export const nothingSpread: Spread = { first: 0, counts: noCounts, total: 0 }

// 8 µs to 24 days: what a source claims beyond that counts at the edge, so that no claim costs memory.
const lowest = -7 * bucketsPerOctave
const highest = 31 * bucketsPerOctave

const within = (bucket: number): number => Math.min(highest, Math.max(lowest, bucket))

/** These counts and those of a histogram, whose buckets rise. */
export function addHistogram(past: Spread, histogram: Histogram): Spread {
  const low = histogram[0]
  const high = histogram.at(-1)
  if (!low || !high) return past
  let total = past.total
  for (let i = 0; i < histogram.length; i++) total += histogram[i]?.[1] ?? 0
  const counts = addPacked(past.counts, past.first, histogram)
  if (counts) return { first: past.first, counts, total }
  const none = roomIn(past.counts) === 0
  const first = none ? within(low[0]) : Math.min(past.first, within(low[0]))
  const end = Math.max(none ? first : past.first + roomIn(past.counts), within(high[0]) + 1)
  const row = new Array<number>(end - first).fill(0)
  const before = unpack(past.counts)
  for (let i = 0; i < before.length; i++) row[past.first - first + i] = before[i] ?? 0
  for (const [bucket, count] of histogram) {
    const at = within(bucket) - first
    row[at] = (row[at] ?? 0) + count
  }
  return { first, counts: pack(row), total }
}

/** How many lie above the upper edge of this bucket. */
export const countBeyond = ({ first, counts }: Spread, bucket: number): number =>
  sumFrom(counts, bucket - first + 1)

/** How many lie in this bucket. */
export const countIn = ({ first, counts }: Spread, bucket: number): number => countAt(counts, bucket - first)

/** The bucket in which the q-quantile lies; undefined when nothing was counted. */
export const quantileBucket = (spread: Spread, q: number): number | undefined =>
  quantileBuckets(spread, [q])[0]

/** The buckets in which these quantiles lie, which rise; none when nothing was counted. */
export function quantileBuckets(
  { first, counts, total }: Spread,
  levels: readonly number[],
): readonly number[] {
  if (total <= 0) return []
  const ranks = levels.map((level) => level * total)
  const places = placesOf(counts, ranks)
  for (let i = 0; i < places.length; i++) places[i] = (places[i] ?? 0) + first
  // Sums of parts may fall short of the whole in the last digit.
  while (places.length < levels.length)
    places.push(first + unpack(counts).findLastIndex((count) => count > 0))
  return places
}
