/**
 * Money on a grid of guesses. Wealth against a null hypothesis is an e-value: while the null holds it
 * reaches 1/alpha, ever, with probability at most alpha, however often one looks.
 */
export type Bets = {
  /** Natural logarithm of all wealth: of the e-value. */
  readonly log: number
  readonly parts: Parts
}

/** What each guess holds of all wealth, and last what is not laid. They sum to 1. */
type Parts = readonly number[]

/** How the money is laid. */
export type House = {
  /** The share of each guess, and last the rest, which is spare; they sum to 1. */
  readonly shares: Parts
  /** The part of all wealth that is laid anew in every interval, so that a late onset need not first undo a good past. */
  readonly anew: number
}

const laidAtStart = 0.91
const laidAnew = 0.002

/** A house for guesses of these weights (any positive numbers). */
export function house(weights: readonly number[]): House {
  const sum = weights.reduce((a, b) => a + b, 0)
  const shares = weights.map((weight) => (laidAtStart * weight) / sum)
  return { shares: [...shares, 1 - laidAtStart], anew: laidAnew }
}

export const openBets = ({ shares }: House): Bets => ({ log: 0, parts: shares })

/**
 * The wealth after one interval that gave each guess this log e-value. No guess gains more than `cap`:
 * requests of one moment are not independent, and one bad moment must not be a proof. Gaining less
 * than fair keeps the guarantee; so does giving up what exceeds `ceiling`, which lets old praise fade.
 *
 * Wealth is kept as parts of a whole whose logarithm is known: a sum of products, so an interval needs one
 * exponential a guess and one logarithm for all of them.
 */
export function settle(
  { log, parts }: Bets,
  rules: House,
  logEs: readonly number[],
  cap: number,
  ceiling = Number.POSITIVE_INFINITY,
): Bets {
  const { shares, anew } = rules
  const most = Math.min(cap, mostAtOnce)
  const held = new Array<number>(parts.length)
  let sum = 0
  for (let i = 0; i < held.length; i++) {
    const gain = i < logEs.length ? Math.exp(Math.min(logEs[i] ?? 0, most)) : 1
    const wealth = ((parts[i] ?? 0) * (1 - anew) + (shares[i] ?? 0) * anew) * gain
    held[i] = wealth
    sum += wealth
  }
  const scale = 1 / sum
  for (let i = 0; i < held.length; i++) held[i] = (held[i] ?? 0) * scale
  return { log: Math.min(ceiling, log + Math.log(sum)), parts: held }
}

/** More than this no guess gains at once, whatever the cap: beyond e^709 there are no numbers. */
export const mostAtOnce = 500

/** The same bets with no more than this log wealth. Giving wealth away keeps the guarantee. */
export const giveUpAbove = <Wealth extends { readonly log: number }>(
  bets: Wealth,
  ceiling: number,
): Wealth => (bets.log > ceiling ? { ...bets, log: ceiling } : bets)

/** ln Σ exp(x), without overflow. */
export function logSum(logs: readonly number[]): number {
  let most = Number.NEGATIVE_INFINITY
  for (const log of logs) if (log > most) most = log
  if (most === Number.NEGATIVE_INFINITY) return most
  let sum = 0
  for (const log of logs) sum += Math.exp(log - most)
  return most + Math.log(sum)
}
