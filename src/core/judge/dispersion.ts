import type { Tally } from "./tally.ts"

/**
 * How much more the two sides' counts jump against each other, from one interval to the next, than
 * independent outcomes would. It is learned from how the events of an interval split between the sides,
 * given all of them: what moves both alike, such as an outage they share or a load that comes in waves, is
 * no noise for a comparison.
 *
 * A row of numbers, small and quick to copy: `n1`, `k1`, `n0`, `k0` of both sides lately, older intervals fading; the sum
 * of squared deviations of the split from what it was lately, each in units of its variance; how many deviations that is.
 */
export type Dispersion = readonly number[]

const [n1At, k1At, n0At, k0At, squaresAt, worthAt] = [0, 1, 2, 3, 4, 5]

/** Independent outcomes are what is believed before anything was seen, for this many intervals. */
const worthOfBelief = 8
/** Two correct cohorts drift apart by this part of their rate. */
const wander = 0.01
/** What the split was lately is itself measured, over a few intervals only; that much of a deviation is its. */
const ownNoise = 1.15
const fading = 0.85
/** One strange interval must not blind the judge for long. */
const strangest = 25

export const usualDispersion: Dispersion = [0, 0, 0, 0, worthOfBelief, worthOfBelief]

/**
 * What `n` counts: requests, of which each is an event at most once, or exposure (seconds, weights), in which any number
 * of events may happen.
 */
type Among = "requests" | "exposure"

/** Changes the dispersion that starts at `at` of a row by what an interval showed. */
export function addSplit(row: number[], at: number, { n1, k1, n0, k0 }: Tally, among: Among): void {
  if (n1 <= 0 || n0 <= 0) return
  const past1 = fading * (row[at + n1At] ?? 0)
  const pastK1 = fading * (row[at + k1At] ?? 0)
  const past0 = fading * (row[at + n0At] ?? 0)
  const pastK0 = fading * (row[at + k0At] ?? 0)
  row[at + n1At] = past1 + n1
  row[at + k1At] = pastK1 + k1
  row[at + n0At] = past0 + n0
  row[at + k0At] = pastK0 + k0
  const events = k1 + k0
  if (events <= 0 || past1 <= 0 || past0 <= 0) return
  const ratio = (pastK1 + 0.5) / (past1 + 1) / ((pastK0 + 0.5) / (past0 + 1))
  const share = Math.min(1 - 1e-6, Math.max(1e-6, (n1 * ratio) / (n1 * ratio + n0)))
  // Of few beside many others: the more of the requests are events, the less their split can vary.
  const rest = among === "exposure" ? 1 : Math.max(0.05, 1 - events / (n1 + n0))
  const variance = events * share * (1 - share) * rest
  const weight = Math.min(1, 2 * variance)
  const square = (k1 - events * share) ** 2 / variance
  row[at + squaresAt] = (row[at + squaresAt] ?? 0) + weight * Math.min(strangest, square)
  row[at + worthAt] = (row[at + worthAt] ?? 0) + weight
}

/** The dispersion after one more interval. */
export function withSplit(past: Dispersion, tally: Tally, among: Among): Dispersion {
  const row = past.slice()
  addSplit(row, 0, tally, among)
  return row
}

/** What was learned of it, in units of independent outcomes. */
const learned = (row: Dispersion, at: number): number =>
  (row[at + squaresAt] ?? 0) / (row[at + worthAt] ?? 1) / ownNoise

/** How much more than independent outcomes one side scatters, at least 1. */
export const scatterOf = (row: Dispersion, at = 0): number => Math.max(1, learned(row, at))

/**
 * Phi ≥ 1, by which the log e-value of a comparison is divided. The more events an interval has, the more of
 * its variance comes from the cohorts' drifting apart: of K events, of which a side is due the share s, a drift of w
 * moves w·K·s·(1−s), where chance moves the root of K·s·(1−s).
 */
export function phiOf(row: Dispersion, { n1, k1, n0, k0 }: Tally, at = 0): number {
  const drift = wander ** 2 * (k1 + k0) * (n1 / (n1 + n0)) * (n0 / (n1 + n0))
  return Math.max(1, learned(row, at) + drift)
}
