import { brentRoot } from "./brent.ts"
import { normalQuantile } from "./normal-quantile.ts"

/** Where the canary lies relative to the control, in the metric's own unit. */
export type Shift = {
  readonly lower: number
  readonly upper: number
  /** Hodges and Lehmann's estimate. */
  readonly estimate: number
}

/** Kayenta's: absolute, whatever the unit. In units where values are near 1e-4 it decides the result. */
const tolerance = 1e-4

/**
 * The confidence interval of the shift between two samples from the Mann-Whitney test: two-sided, normal
 * approximation, corrected for continuity and ties, as in R's `wilcox.test(x, y, conf.int = TRUE, exact =
 * FALSE)`. The root search is coarse (see `tolerance`), so for values of small units the lower limit can lie
 * above the upper one; so it is in Kayenta. Throws a RangeError when all values of both samples are tied.
 */
export function mannWhitneyShift(
  canary: readonly number[],
  control: readonly number[],
  confidence: number,
): Shift {
  const lowest = least(canary) - greatest(control)
  const highest = greatest(canary) - least(control)
  const z = normalQuantile((1 - confidence) / 2)
  const root = (quantile: number): number => {
    if (standardised(canary, control, lowest, quantile) <= 0) return lowest
    if (standardised(canary, control, highest, quantile) >= 0) return highest
    return brentRoot((mu) => standardised(canary, control, mu, quantile), lowest, highest, tolerance)
  }
  return { lower: root(-z), upper: root(z), estimate: root(0) }
}

/** How far the rank sum of `canary - mu` is from its mean, in standard deviations, less `quantile`. */
export function standardised(
  canary: readonly number[],
  control: readonly number[],
  mu: number,
  quantile: number,
): number {
  const n = canary.length
  const m = control.length
  const { sumOfFirst, ties } = rank(
    canary.map((value) => value - mu),
    control,
  )
  const distance = sumOfFirst - (n * (n + 1)) / 2 - (n * m) / 2
  const spread = Math.sqrt(((n * m) / 12) * (n + m + 1 - ties / ((n + m) * (n + m - 1))))
  if (!(spread > 0)) throw new RangeError("all values of canary and control are the same: nothing to rank")
  return (distance - Math.sign(distance) * 0.5) / spread - quantile
}

/** The sum of the ranks of `first` among both, ties sharing their mean; and the sum of t³ − t over the ties. */
function rank(
  first: readonly number[],
  second: readonly number[],
): { readonly sumOfFirst: number; readonly ties: number } {
  const all = [
    ...first.map((value) => ({ value, mine: 1 })),
    ...second.map((value) => ({ value, mine: 0 })),
  ].sort((a, b) => a.value - b.value)
  let sumOfFirst = 0
  let ties = 0
  for (let start = 0; start < all.length; ) {
    const value = all[start]?.value
    let end = start
    let mine = 0
    while (end < all.length && all[end]?.value === value) mine += all[end++]?.mine ?? 0
    const size = end - start
    sumOfFirst += mine * ((start + 1 + end) / 2)
    ties += size ** 3 - size
    start = end
  }
  return { sumOfFirst, ties }
}

const least = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b))
const greatest = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b))
