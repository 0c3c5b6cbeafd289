/**
 * What the two sides of a comparison showed in one closed interval: `k1` of `n1` on the suspect's
 * side, `k0` of `n0` on the reference's. `n` counts requests, or instance-seconds for events.
 * The suspect is the canary where more is worse, and the control where less is worse.
 */
export type Tally = { readonly n1: number; readonly k1: number; readonly n0: number; readonly k0: number }

/** "Worse" means p1 > r·p0 + d: two correct instances are never identical. */
export type Margin = { readonly r: number; readonly d: number }

/** `k` of `n`, or `k` events in `n` seconds of exposure. */
export type Counts = { readonly n: number; readonly k: number }

export const nothingCounted: Counts = { n: 0, k: 0 }

export const addCounts = (a: Counts, b: Counts): Counts => ({ n: a.n + b.n, k: a.k + b.k })

/** The rate, 0 when nothing was counted. */
export const rateOf = (counts: Counts): number => (counts.n > 0 ? counts.k / counts.n : 0)
