import type { Tally } from "./tally.ts"

/**
 * How much more the two sides' counts jump against each other, from one interval to the next, than
 * independent outcomes would. It is learned from how the events of an interval split between the sides,
 * given all of them: what moves both alike, such as an outage they share or a load that comes in waves, is
 * no noise for a comparison.
 */
export type Dispersion = {
  /** Both sides lately, older intervals fading. */
  readonly recent: Tally
  /** Sum of squared deviations of the split from what it was lately, each in units of its variance. */
  readonly squares: number
  /** How many deviations that is. */
  readonly worth: number
}

/** Independent outcomes are what is believed before anything was seen, for this many intervals. */
const worthOfBelief = 8
/** Two correct cohorts drift apart by this part of their rate. */
const wander = 0.01
/** What the split was lately is itself measured, over a few intervals only; that much of a deviation is its. */
const ownNoise = 1.15
const fading = 0.85
/** One strange interval must not blind the judge for long. */
const strangest = 25

export const usualDispersion: Dispersion = {
  recent: { n1: 0, k1: 0, n0: 0, k0: 0 },
  squares: worthOfBelief,
  worth: worthOfBelief,
}

/**
 * What `n` counts: requests, of which each is an event at most once, or exposure (seconds, weights), in which any number
 * of events may happen.
 */
type Among = "requests" | "exposure"

export function addSplit(past: Dispersion, tally: Tally, among: Among): Dispersion {
  if (tally.n1 <= 0 || tally.n0 <= 0) return past
  const before = fade(past.recent)
  const recent = {
    n1: before.n1 + tally.n1,
    k1: before.k1 + tally.k1,
    n0: before.n0 + tally.n0,
    k0: before.k0 + tally.k0,
  }
  const events = tally.k1 + tally.k0
  if (events <= 0 || before.n1 <= 0 || before.n0 <= 0) return { ...past, recent }
  const ratio = (before.k1 + 0.5) / (before.n1 + 1) / ((before.k0 + 0.5) / (before.n0 + 1))
  const share = Math.min(1 - 1e-6, Math.max(1e-6, (tally.n1 * ratio) / (tally.n1 * ratio + tally.n0)))
  // Of few beside many others: the more of the requests are events, the less their split can vary.
  const rest = among === "exposure" ? 1 : Math.max(0.05, 1 - events / (tally.n1 + tally.n0))
  const variance = events * share * (1 - share) * rest
  const weight = Math.min(1, 2 * variance)
  const square = (tally.k1 - events * share) ** 2 / variance
  return {
    recent,
    squares: past.squares + weight * Math.min(strangest, square),
    worth: past.worth + weight,
  }
}

const fade = ({ n1, k1, n0, k0 }: Tally): Tally => ({
  n1: fading * n1,
  k1: fading * k1,
  n0: fading * n0,
  k0: fading * k0,
})

/** What was learned of it, in units of independent outcomes. */
const learned = ({ squares, worth }: Dispersion): number => squares / worth / ownNoise

/** How much more than independent outcomes one side scatters, at least 1. */
export const scatterOf = (dispersion: Dispersion): number => Math.max(1, learned(dispersion))

/**
 * Phi ≥ 1, by which the log e-value of a comparison is divided. The more events an interval has, the more of
 * its variance comes from the cohorts' drifting apart: of K events, of which a side is due the share s, a drift of w
 * moves w·K·s·(1−s), where chance moves the root of K·s·(1−s).
 */
export function phiOf(dispersion: Dispersion, { n1, k1, n0, k0 }: Tally): number {
  const drift = wander ** 2 * (k1 + k0) * (n1 / (n1 + n0)) * (n0 / (n1 + n0))
  return Math.max(1, learned(dispersion) + drift)
}
