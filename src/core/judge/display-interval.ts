import type { Histogram } from "../model/measurement.ts"
import { middleOf, quantileBucket, totalOf } from "./histogram.ts"
import type { Counts } from "./tally.ts"

// Fixed-time 99 % intervals, for people to look at. No verdict rests on them.

const z = 2.5758293035489004

export type Interval = { readonly estimate: number; readonly low: number; readonly high: number }

/** Wilson's interval of one proportion. */
export function wilson({ n, k }: Counts): Interval {
  const p = k / n
  const middle = (p + (z * z) / (2 * n)) / (1 + (z * z) / n)
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n))
  return { estimate: p, low: Math.max(0, middle - half), high: Math.min(1, middle + half) }
}

/** Of a rate of rare events (score interval), in events per unit of `n`. */
export function poissonInterval({ n, k }: Counts): Interval {
  const middle = k + (z * z) / 2
  const half = z * Math.sqrt(k + (z * z) / 4)
  return { estimate: k / n, low: Math.max(0, middle - half) / n, high: (middle + half) / n }
}

/** Of a quantile in ms, from the ranks that its binomial error spans. */
export function quantileInterval(histogram: Histogram, q: number): Interval {
  const half = z * Math.sqrt((q * (1 - q)) / totalOf(histogram))
  const at = (level: number) => middleOf(quantileBucket(histogram, Math.min(1, Math.max(0, level))) ?? 0)
  return { estimate: at(q), low: at(q - half), high: at(q + half) }
}

/** Newcombe's interval of a difference, from the intervals of its two sides. */
export function differenceOf(canary: Interval, control: Interval): Interval {
  const estimate = canary.estimate - control.estimate
  return {
    estimate,
    low: estimate - Math.hypot(canary.estimate - canary.low, control.high - control.estimate),
    high: estimate + Math.hypot(canary.high - canary.estimate, control.estimate - control.low),
  }
}
