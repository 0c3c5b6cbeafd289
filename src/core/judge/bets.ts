/**
 * Money on a grid of guesses. Wealth against a null hypothesis is an e-value: while the null holds it
 * reaches 1/alpha, ever, with probability at most alpha, however often one looks.
 */
export type Bets = {
  /** Natural logarithm of the wealth on each guess. */
  readonly held: readonly number[]
  /** Natural logarithm of the wealth that is not laid. */
  readonly spare: number
}

/** How the money is laid, in natural logarithms: the share of each guess, and the rest, which is spare. */
export type House = {
  readonly shares: readonly number[]
  readonly spare: number
  /** The part of all wealth that is laid anew in every interval, so that a late onset need not first undo a good past. */
  readonly anew: number
  readonly keep: number
}

const laidAtStart = 0.91
const laidAnew = 0.002

/** A house for guesses of these weights (any positive numbers). */
export function house(weights: readonly number[]): House {
  const sum = weights.reduce((a, b) => a + b, 0)
  return {
    shares: weights.map((weight) => Math.log((laidAtStart * weight) / sum)),
    spare: Math.log(1 - laidAtStart),
    anew: Math.log(laidAnew),
    keep: Math.log(1 - laidAnew),
  }
}

export const openBets = ({ shares, spare }: House): Bets => ({ held: shares, spare })

/**
 * The wealth after one interval that gave each guess this log e-value. No guess gains more than `cap`:
 * requests of one moment are not independent, and one bad moment must not be a proof. Gaining less
 * than fair keeps the guarantee; so does giving up what exceeds `ceiling`, which lets old praise fade.
 */
export function settle(
  bets: Bets,
  rules: House,
  logEs: readonly number[],
  cap: number,
  ceiling = Number.POSITIVE_INFINITY,
): Bets {
  const { shares, spare, anew, keep } = rules
  const pot = logWealth(bets) + anew
  const held = new Array<number>(bets.held.length)
  for (let i = 0; i < held.length; i++) {
    const wealth = logSum2((bets.held[i] ?? 0) + keep, pot + (shares[i] ?? 0))
    held[i] = wealth + Math.min(logEs[i] ?? 0, cap)
  }
  return giveUpAbove({ held, spare: logSum2(bets.spare + keep, pot + spare) }, ceiling)
}

/** The same bets with no more than this log wealth. Giving wealth away keeps the guarantee. */
export function giveUpAbove(bets: Bets, ceiling: number): Bets {
  if (ceiling === Number.POSITIVE_INFINITY) return bets
  const excess = logWealth(bets) - ceiling
  if (!(excess > 0)) return bets
  return { held: bets.held.map((wealth) => wealth - excess), spare: bets.spare - excess }
}

/** Natural logarithm of the e-value. */
export function logWealth({ held, spare }: Bets): number {
  let most = spare
  for (const wealth of held) if (wealth > most) most = wealth
  let sum = Math.exp(spare - most)
  for (const wealth of held) sum += Math.exp(wealth - most)
  return most + Math.log(sum)
}

function logSum2(a: number, b: number): number {
  if (b === Number.NEGATIVE_INFINITY) return a
  return a > b ? a + Math.log1p(Math.exp(b - a)) : b + Math.log1p(Math.exp(a - b))
}

/** ln Σ exp(x), without overflow. */
export function logSum(logs: readonly number[]): number {
  let most = Number.NEGATIVE_INFINITY
  for (const log of logs) if (log > most) most = log
  if (most === Number.NEGATIVE_INFINITY) return most
  let sum = 0
  for (const log of logs) sum += Math.exp(log - most)
  return most + Math.log(sum)
}
