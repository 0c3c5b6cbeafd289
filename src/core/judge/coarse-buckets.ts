import { bucketsPerOctave } from "../model/measurement.ts"
import { upperEdge } from "./histogram.ts"
import type { Spread } from "./spread.ts"
import { countBeyond } from "./spread.ts"

/**
 * Sources with wide buckets (10 ms, 25 ms, 50 ms) tell requests apart at their edges only, which rise. `odds` are the
 * natural logarithms of the odds that a request lay above each edge, so far.
 */
export type WideBuckets = { readonly edges: readonly number[]; readonly odds: readonly number[] }

/** What was seen, in wide buckets with these edges. */
export const inWideBuckets = (past: Spread, edges: readonly number[]): WideBuckets => ({
  edges,
  odds: edges.map((edge) => {
    const above = countBeyond(past, edge)
    return Math.log((above + 0.5) / (past.total - above + 0.5))
  }),
})

/**
 * A bound moved to `later` ms: with wide buckets the last edge at or before it, and `short` the factor by which that falls
 * short.
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

/** Up to this level the edge on either side will do; of slow requests those above the later edge show more. */
const middle = 0.7

/** The edge at which a level is best told: the one at the end of its bucket, or, in the middle, the nearest in odds. */
export function edgeFor({ edges, odds }: WideBuckets, level: number, bucket: number): number {
  const at = edges.indexOf(bucket)
  const before = edges[at - 1]
  if (level > middle || before === undefined) return bucket
  const wanted = Math.log((1 - level) / level)
  const off = (i: number) => Math.abs((odds[i] ?? 0) - wanted)
  return off(at - 1) < off(at) ? before : bucket
}

/**
 * By what factor the share above an edge grows when every request takes `slower` times as long: what lies just before
 * the edge crosses it. On scales of log odds and log time, latencies of many shapes bend little from edge to edge:
 * at an edge the slope is taken to be the mean of the buckets before and after it, and to bend such that the curve meets
 * the edge before.
 */
export function growthWhenSlower(wide: WideBuckets, edge: number, slower: number): number {
  let at = wide.edges.indexOf(edge)
  if (slower <= 1 || at < 0) return 1
  const now = wide.odds[at] ?? 0
  let then = now
  for (let left = Math.log2(slower); left > 0; at--) {
    const width = octavesBefore(wide, at)
    const step = Math.min(left, width)
    const after = slopeBefore(wide, at + 1)
    const before = slopeBefore(wide, at) ?? after ?? 0
    const bend = width === Number.POSITIVE_INFINITY ? 1 : 1 - step / width
    then += step * (before + ((after ?? before) - before) * 0.5 * bend)
    left -= step
  }
  return shareOf(then) / shareOf(now)
}

const shareOf = (odds: number): number => 1 / (1 + Math.exp(-odds))

/** How wide the bucket is that ends at this edge; without end is the first. */
function octavesBefore({ edges }: WideBuckets, at: number): number {
  const [low, high] = [edges[at - 1], edges[at]]
  return low === undefined || high === undefined ? Number.POSITIVE_INFINITY : (high - low) / bucketsPerOctave
}

/** By how much the log odds fall in an octave of the bucket that ends at this edge; undefined of the first and beyond. */
function slopeBefore(wide: WideBuckets, at: number): number | undefined {
  const [low, high] = [wide.odds[at - 1], wide.odds[at]]
  return low === undefined || high === undefined ? undefined : (low - high) / octavesBefore(wide, at)
}
