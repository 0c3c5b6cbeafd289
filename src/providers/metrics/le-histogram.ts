import { bucketsPerOctave, type Histogram } from "../../core/model/measurement.ts"

/** How many values were at most `le`: Prometheus' classic histogram. `le` is Infinity for all of them. */
export type Cumulative = readonly { readonly le: number; readonly count: number }[]

/** Below this share of its bound, nothing is known of the lowest bucket: it is spread over one octave. */
const lowestSpread = 0.5

/**
 * Buckets between bounds as the judge's own, which are 2.2 % wide. What lies in a coarse bucket is spread evenly
 * over the logarithm: for canary and control in the same way, so that equal counts stay equal. What lies above
 * the last finite bound is put right above it: no more is known of it. Undefined when counts fall with rising
 * bounds, which no histogram does, or when there is no finite bound.
 */
export function histogramOf(cumulative: Cumulative, msPerUnit: number): Histogram | undefined {
  const sorted = [...cumulative].sort((a, b) => a.le - b.le)
  if (!sorted.some(({ le }) => Number.isFinite(le))) return undefined
  const buckets = new Map<number, number>()
  let below: number | undefined
  let sum = 0
  for (const { le, count } of sorted) {
    if (!Number.isFinite(count) || count < sum) return undefined
    const upper = le * msPerUnit
    spread(buckets, below, upper, count - sum)
    sum = count
    if (Number.isFinite(upper)) below = upper
  }
  return [...buckets].sort(([a], [b]) => a - b)
}

function spread(buckets: Map<number, number>, below: number | undefined, upper: number, count: number): void {
  if (count <= 0) return
  const lower = Math.max(shortest, below ?? upper * lowestSpread)
  const first = bucketOf(lower) + 1
  const last = Math.max(first, Number.isFinite(upper) ? bucketOf(Math.max(upper, shortest)) : first)
  // Whole requests, so that no bucket claims a part of one: the rounding is carried on.
  const width = last - first + 1
  let given = 0
  for (let i = 0; i < width; i++) {
    const due = Math.round((count * (i + 1)) / width)
    if (due > given) buckets.set(first + i, (buckets.get(first + i) ?? 0) + due - given)
    given = due
  }
}

/** In ms. Bounds at or below zero are taken for it. */
const shortest = 0.008

/** The bucket whose upper edge is at or just above `ms`. */
const bucketOf = (ms: number): number => Math.ceil(bucketsPerOctave * Math.log2(ms) - 1e-9) - 1
