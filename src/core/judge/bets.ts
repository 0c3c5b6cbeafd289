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

/** How the money is laid: the share of each guess, summing to less than 1, and the rest is spare. */
export type House = {
  readonly shares: readonly number[]
  /** Part of all wealth that is laid anew in every interval, so that a late onset need not first undo a good past. */
  readonly anew: number
}

const laidAtStart = 0.91
const laidAnew = 0.002

/** A house for guesses of these weights (any positive numbers). */
export function house(weights: readonly number[]): House {
  const sum = weights.reduce((a, b) => a + b, 0)
  return { shares: weights.map((weight) => (laidAtStart * weight) / sum), anew: laidAnew }
}

const spareOf = ({ shares }: House): number => Math.max(0, 1 - shares.reduce((a, b) => a + b, 0))

export const openBets = (rules: House): Bets => ({
  held: rules.shares.map((share) => Math.log(share)),
  spare: Math.log(spareOf(rules)),
})

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
  const keep = Math.log(1 - rules.anew)
  const pot = logWealth(bets) + Math.log(rules.anew)
  const relay = (wealth: number, share: number) => logSum([wealth + keep, pot + Math.log(share)])
  const held = bets.held.map(
    (wealth, i) => relay(wealth, rules.shares[i] ?? 0) + Math.min(logEs[i] ?? 0, cap),
  )
  return giveUpAbove({ held, spare: relay(bets.spare, spareOf(rules)) }, ceiling)
}

/** The same bets with no more than this log wealth. Giving wealth away keeps the guarantee. */
export function giveUpAbove(bets: Bets, ceiling: number): Bets {
  const excess = logWealth(bets) - ceiling
  if (!(excess > 0)) return bets
  return { held: bets.held.map((wealth) => wealth - excess), spare: bets.spare - excess }
}

/** Natural logarithm of the e-value. */
export const logWealth = (bets: Bets): number => logSum([...bets.held, bets.spare])

/** ln Σ exp(x), without overflow. */
export function logSum(logs: readonly number[]): number {
  const most = logs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  if (most === Number.NEGATIVE_INFINITY) return most
  return most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0))
}
