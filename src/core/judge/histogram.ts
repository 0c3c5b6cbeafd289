import type { Histogram } from "../model/measurement.ts"
import { bucketsPerOctave } from "../model/measurement.ts"

/** Both, bucket by bucket. Expects sorted buckets, and gives sorted ones. */
export function mergeHistograms(a: Histogram, b: Histogram): Histogram {
  if (a.length === 0) return b
  if (b.length === 0) return a
  const merged: (readonly [number, number])[] = []
  let i = 0
  let j = 0
  for (let x = a[0], y = b[0]; x || y; x = a[i], y = b[j]) {
    if (x && (!y || x[0] < y[0])) {
      merged.push(x)
      i++
    } else if (y && (!x || y[0] < x[0])) {
      merged.push(y)
      j++
    } else if (x && y) {
      merged.push([x[0], x[1] + y[1]])
      i++
      j++
    }
  }
  return merged
}

/** A histogram with how many lie in each of its buckets and all higher ones, in which counts above a bound are looked up. */
export type Tails = { readonly histogram: Histogram; readonly fromHere: readonly number[] }

export const noTails: Tails = { histogram: [], fromHere: [] }

/** Expects buckets that rise. */
export function tailsOf(histogram: Histogram): Tails {
  const fromHere = new Array<number>(histogram.length)
  let sum = 0
  for (let i = histogram.length - 1; i >= 0; i--) {
    sum += histogram[i]?.[1] ?? 0
    fromHere[i] = sum
  }
  return { histogram, fromHere }
}

export const totalOf = ({ fromHere }: Tails): number => fromHere[0] ?? 0

/** How many lie above the upper edge of this bucket. */
export function countAbove({ histogram, fromHere }: Tails, bucket: number): number {
  let low = 0
  let high = histogram.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((histogram[middle]?.[0] ?? 0) > bucket) high = middle
    else low = middle + 1
  }
  return fromHere[low] ?? 0
}

/** Upper edge of a bucket in ms. */
export const upperEdge = (bucket: number): number => 2 ** ((bucket + 1) / bucketsPerOctave)

/** The value that stands for a bucket, in ms: its geometric middle, at most 1.1 % off. */
export const middleOf = (bucket: number): number => 2 ** ((bucket + 0.5) / bucketsPerOctave)

// Rounding of 2^x and log2 must not push an edge into the next bucket.
const slack = 1e-9

/** The lowest bucket whose upper edge is at or above `ms`. */
export const bucketAtOrAbove = (ms: number): number => Math.ceil(bucketsPerOctave * Math.log2(ms) - 1 - slack)

/** In ms. Nothing is told apart below it, and log2 has no number for zero. */
const shortest = 0.008

/** The bucket that a latency of `ms`, 0 or more, counts in. */
export const bucketOf = (ms: number): number => bucketAtOrAbove(Math.max(ms, shortest))

/** The highest bucket whose upper edge is at or below `ms`. */
export const bucketAtOrBelow = (ms: number): number =>
  Math.floor(bucketsPerOctave * Math.log2(ms) - 1 + slack)
