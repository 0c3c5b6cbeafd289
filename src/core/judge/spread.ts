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

/** These counts and those of a histogram, whose buckets rise. */
export function addHistogram(past: Spread, histogram: Histogram): Spread {
  const low = histogram[0]
  const high = histogram.at(-1)
  if (!low || !high) return past
  const none = past.counts.length === 0
  const first = none ? within(low[0]) : Math.min(past.first, within(low[0]))
  const end = Math.max(none ? first : past.first + past.counts.length, within(high[0]) + 1)
  const counts = widenedTo(past, first, end)
  let total = past.total
  for (let i = 0; i < histogram.length; i++) {
    const bucket = histogram[i]
    if (!bucket) continue
    const at = within(bucket[0]) - first
    counts[at] = (counts[at] ?? 0) + bucket[1]
    total += bucket[1]
  }
  return { first, counts, total }
}

/** A copy of its counts from bucket `first` to before `end`, which hold all of them. */
function widenedTo(past: Spread, first: number, end: number): number[] {
  const before = past.first - first
  if (before === 0 && past.counts.length === end - first) return past.counts.slice()
  const counts = new Array<number>(end - first).fill(0)
  for (let i = 0; i < past.counts.length; i++) counts[before + i] = past.counts[i] ?? 0
  return counts
}

/** How many lie above the upper edge of this bucket. */
export function countBeyond({ first, counts }: Spread, bucket: number): number {
  let sum = 0
  for (let i = Math.max(0, bucket - first + 1); i < counts.length; i++) sum += counts[i] ?? 0
  return sum
}

/** How many lie in this bucket. */
export const countIn = ({ first, counts }: Spread, bucket: number): number => counts[bucket - first] ?? 0

/** The bucket in which the q-quantile lies; undefined when nothing was counted. */
export const quantileBucket = (spread: Spread, q: number): number | undefined =>
  quantileBuckets(spread, [q])[0]

/** The buckets in which these quantiles lie, which rise; none when nothing was counted. */
export function quantileBuckets(
  { first, counts, total }: Spread,
  levels: readonly number[],
): readonly number[] {
  const found: number[] = []
  if (total <= 0) return found
  let sum = 0
  let rank = (levels[0] ?? 0) * total
  for (let i = 0; i < counts.length && found.length < levels.length; i++) {
    const count = counts[i] ?? 0
    if (count === 0) continue
    sum += count
    while (sum >= rank && found.length < levels.length) {
      found.push(first + i)
      rank = (levels[found.length] ?? 0) * total
    }
  }
  // Sums of parts may fall short of the whole in the last digit.
  while (found.length < levels.length) found.push(first + counts.length - 1)
  return found
}
