import { bucketsPerOctave } from "../model/measurement.ts"
import { upperEdge } from "./histogram.ts"
import type { Spread } from "./spread.ts"
import { countBeyond, countIn } from "./spread.ts"

/**
 * A bound moved to `later` ms. Sources with wide buckets (10 ms, 25 ms, 50 ms) tell requests apart at their
 * `edges` only: then it is the last edge at or before it, and `short` the factor by which it falls short.
 */
export function movedBound(
  bound: number,
  later: number,
  laterBucket: number,
  edges: readonly number[] | undefined,
): { readonly bound: number; readonly short: number } {
  if (!edges) return { bound: laterBucket, short: 1 }
  const last = edges.findLast((edge) => edge <= laterBucket && edge >= bound) ?? bound
  return { bound: last, short: Math.max(1, later / upperEdge(last)) }
}

/** How much of an even spread within a bucket is believed to lie just before its end. */
const believed = 0.6

/**
 * By what factor the share above a bound grows when every request takes `slower` times as long: what
 * lies just before it crosses. Within a bucket requests are taken to be spread evenly, on a logarithmic
 * scale.
 */
export function crossingWhenSlower(
  past: Spread,
  bound: number,
  slower: number,
  edges: readonly number[],
): number {
  if (slower <= 1) return 1
  const all = past.total
  const above = Math.max(countBeyond(past, bound), 0.5) / all
  const ends = edges.filter((edge) => edge <= bound).reverse()
  let crossing = 0
  let left = Math.log2(slower)
  for (const [i, end] of ends.entries()) {
    const width = (end - (ends[i + 1] ?? end - bucketsPerOctave)) / bucketsPerOctave
    const count = countIn(past, end)
    crossing += (believed * (count / all) * Math.min(left, width)) / width
    left -= width
    if (left <= 0) break
  }
  return (above + crossing) / above
}
