import type { Histogram } from "../model/measurement.ts"
import { bucketsPerOctave } from "../model/measurement.ts"

/** Both, bucket by bucket, sorted. */
export function mergeHistograms(a: Histogram, b: Histogram): Histogram {
  const counts = new Map<number, number>(a)
  for (const [bucket, count] of b) counts.set(bucket, (counts.get(bucket) ?? 0) + count)
  return [...counts].sort(([x], [y]) => x - y)
}

export const totalOf = (histogram: Histogram): number => histogram.reduce((sum, [, count]) => sum + count, 0)

/** How many values lie above the upper edge of this bucket. */
export const countAbove = (histogram: Histogram, bucket: number): number =>
  histogram.reduce((sum, [at, count]) => (at > bucket ? sum + count : sum), 0)

/** The bucket in which the q-quantile lies; undefined when empty. Expects sorted buckets. */
export function quantileBucket(histogram: Histogram, q: number): number | undefined {
  const rank = q * totalOf(histogram)
  let sum = 0
  for (const [bucket, count] of histogram) {
    sum += count
    if (count > 0 && sum >= rank) return bucket
  }
  return histogram.at(-1)?.[0]
}

/** Upper edge of a bucket in ms. */
export const upperEdge = (bucket: number): number => 2 ** ((bucket + 1) / bucketsPerOctave)

/** The value that stands for a bucket, in ms: its geometric middle, at most 1.1 % off. */
export const middleOf = (bucket: number): number => 2 ** ((bucket + 0.5) / bucketsPerOctave)

// Rounding of 2^x and log2 must not push an edge into the next bucket.
const slack = 1e-9

/** The lowest bucket whose upper edge is at or above `ms`. */
export const bucketAtOrAbove = (ms: number): number => Math.ceil(bucketsPerOctave * Math.log2(ms) - 1 - slack)

/** The highest bucket whose upper edge is at or below `ms`. */
export const bucketAtOrBelow = (ms: number): number =>
  Math.floor(bucketsPerOctave * Math.log2(ms) - 1 + slack)
