import { logSum } from "./bets.ts"

/** Guesses at how often, of the requests on which one side alone differs, it is the candidate. */
const guesses = [0.6, 0.75, 0.9, 0.98]

/**
 * The paired sign test as a log e-value: of `raw + noise` requests on which exactly one of the two differed,
 * `raw` were the candidate's. Under "the candidate's turn comes no more often than the other's" it is the
 * wealth of a fair game, at any moment one looks: reaching 1/α ever has probability at most α.
 */
export function pairedLogE(raw: number, noise: number): number {
  return (
    logSum(guesses.map((p) => raw * Math.log(2 * p) + noise * Math.log(2 * (1 - p)))) -
    Math.log(guesses.length)
  )
}

/**
 * The share of the whole promise that the n-th path found (from 0) may spend: 8 paths share a half, the next
 * 16 a quarter, the next 32 an eighth. Fixed before any of them is tested, and however many come they never
 * spend more than 1.
 */
export function shareOfPath(n: number): number {
  const block = Math.floor(Math.log2(n / 8 + 1))
  return 1 / (16 * 4 ** block)
}
