import type { Histogram } from "../model/measurement.ts"
import { bucketsPerOctave } from "../model/measurement.ts"

/**
 * Latencies counted bucket by bucket without gaps: they lie close together, and a plain row of counts is
 * added and searched many times faster than pairs of bucket and count. `counts[i]` is of bucket `first + i`.
 */
export type Spread = {
  readonly first: number
  readonly counts: readonly number[]
  readonly total: number
}

export const nothingSpread: Spread = { first: 0, counts: [], total: 0 }

// 8 µs to 24 days: what a source claims beyond that counts at the edge, so that no claim costs memory.
const lowest = -7 * bucketsPerOctave
const highest = 31 * bucketsPerOctave

const within = (bucket: number): number => Math.min(highest, Math.max(lowest, bucket))

/** The same counts. Expects buckets that rise. */
export function spreadOf(histogram: Histogram): Spread {
  const low = histogram[0]
  const high = histogram.at(-1)
  if (!low || !high) return nothingSpread
  const first = within(low[0])
  const counts = new Array<number>(within(high[0]) - first + 1).fill(0)
  let total = 0
  for (const bucket of histogram) {
    const at = within(bucket[0]) - first
    counts[at] = (counts[at] ?? 0) + bucket[1]
    total += bucket[1]
  }
  return { first, counts, total }
}

/** Both, bucket by bucket. */
export function addSpreads(a: Spread, b: Spread): Spread {
  if (a.counts.length === 0) return b
  if (b.counts.length === 0) return a
  const first = Math.min(a.first, b.first)
  const end = Math.max(a.first + a.counts.length, b.first + b.counts.length)
  const counts = new Array<number>(end - first).fill(0)
  for (let i = 0; i < a.counts.length; i++) counts[a.first - first + i] = a.counts[i] ?? 0
  for (let i = 0, at = b.first - first; i < b.counts.length; i++, at++) {
    counts[at] = (counts[at] ?? 0) + (b.counts[i] ?? 0)
  }
  return { first, counts, total: a.total + b.total }
}

/** How many lie above the upper edge of this bucket. */
export function countAbove({ first, counts }: Spread, bucket: number): number {
  let sum = 0
  for (let i = Math.max(0, bucket - first + 1); i < counts.length; i++) sum += counts[i] ?? 0
  return sum
}

/** How many lie in this bucket. */
export const countIn = ({ first, counts }: Spread, bucket: number): number => counts[bucket - first] ?? 0

/** The bucket in which the q-quantile lies; undefined when nothing was counted. */
export function quantileBucket({ first, counts, total }: Spread, q: number): number | undefined {
  const rank = q * total
  let sum = 0
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i] ?? 0
    sum += count
    if (count > 0 && sum >= rank) return first + i
  }
  return total > 0 ? first + counts.length - 1 : undefined
}
