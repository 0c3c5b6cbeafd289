import { middleOf } from "./histogram.ts"
import type { Spread } from "./spread.ts"
import { quantileBuckets } from "./spread.ts"
import type { Counts } from "./tally.ts"

// 99 % intervals for people to look at; no verdict rests on them. They may be looked at as often as one likes:
// at every n they are as wide as a confidence sequence must be.

const alpha = 0.01
/** Where the sequence is at its tightest, in requests or events. */
const tightestAt = 500
/** Below this much nothing is to be seen anyway; the sequence begins there. */
const beginsAt = 20
const rho2 = (-2 * Math.log(alpha) + Math.log(-2 * Math.log(alpha)) + 1) / tightestAt

/**
 * Standard errors at `n` that no moment ever exceeds, but with probability alpha: the normal mixture boundary
 * (Robbins 1970; for means in general Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, Annals of Statistics 2024).
 */
function boundary(n: number): number {
  const grown = Math.max(n, beginsAt) * rho2
  return Math.sqrt(2 * ((grown + 1) / grown) * Math.log(Math.sqrt(grown + 1) / alpha))
}

export type Interval = { readonly estimate: number; readonly low: number; readonly high: number }

/** Wilson's interval of one proportion, widened for any number of looks. */
export function wilson({ n, k }: Counts): Interval {
  const p = k / n
  const z = boundary(n)
  const middle = (p + (z * z) / (2 * n)) / (1 + (z * z) / n)
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n))
  return { estimate: p, low: Math.max(0, middle - half), high: Math.min(1, middle + half) }
}

/** Of a rate of rare events (score interval), in events per unit of `n`. */
export function poissonInterval({ n, k }: Counts): Interval {
  const z = boundary(k)
  const middle = k + (z * z) / 2
  const half = z * Math.sqrt(k + (z * z) / 4)
  return { estimate: k / n, low: Math.max(0, middle - half) / n, high: (middle + half) / n }
}

/** Of a quantile in ms, from the ranks that its binomial error spans; undefined when nothing was counted. */
export function quantileInterval(spread: Spread, q: number): Interval | undefined {
  const n = spread.total
  const half = boundary(n) * Math.sqrt((q * (1 - q)) / n)
  const [low, estimate, high] = quantileBuckets(spread, [Math.max(0, q - half), q, Math.min(1, q + half)])
  if (low === undefined || estimate === undefined || high === undefined) return undefined
  return { estimate: middleOf(estimate), low: middleOf(low), high: middleOf(high) }
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
