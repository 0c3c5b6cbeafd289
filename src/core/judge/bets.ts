/**
 * Money on a grid of guesses. Wealth against a null hypothesis is an e-value: while the null holds it
 * reaches 1/alpha, ever, with probability at most alpha, however often one looks.
 */
export type Bets = {
  /** Natural logarithm of the wealth on each guess. */
  readonly held: readonly number[]
  /** Wealth not yet laid, 0 to 1. It buys in later, so that a late onset need not first undo a good past. */
  readonly spare: number
}

export type House = {
  /** Share of each guess, summing to 1. */
  readonly prior: readonly number[]
  /** Share laid before the first interval. */
  readonly atStart: number
  /** Share of the spare money that is laid before every further interval. */
  readonly perInterval: number
}

export const evenly = (guesses: number): readonly number[] => new Array<number>(guesses).fill(1 / guesses)

/** Most of the money at once, the rest over the next few hundred intervals. */
export const house = (guesses: number): House => ({ prior: evenly(guesses), atStart: 0.8, perInterval: 0.01 })

export function openBets({ prior, atStart }: House): Bets {
  return { held: prior.map((share) => Math.log(share * atStart)), spare: 1 - atStart }
}

/**
 * The wealth after one interval that gave each guess this log e-value. No guess gains more than `cap`:
 * requests of one moment are not independent, and one bad moment must not be a proof. Gaining less
 * than fair keeps the guarantee; so does giving up what exceeds `ceiling`, which lets old praise fade.
 */
export function settle(
  bets: Bets,
  { prior, perInterval }: House,
  logEs: readonly number[],
  cap: number,
  ceiling = Number.POSITIVE_INFINITY,
): Bets {
  const laid = Math.log(bets.spare * perInterval)
  const held = bets.held.map((wealth, i) => {
    const staked = logAdd(wealth, laid + Math.log(prior[i] ?? 0))
    return staked + Math.min(logEs[i] ?? 0, cap)
  })
  const settled = { held, spare: bets.spare * (1 - perInterval) }
  const excess = logWealth(settled) - ceiling
  return excess > 0 ? { held: held.map((wealth) => wealth - excess), spare: settled.spare } : settled
}

/** Natural logarithm of the e-value. */
export const logWealth = (bets: Bets): number => logSum([...bets.held, Math.log(bets.spare)])

/** ln Σ exp(x), without overflow. */
export function logSum(logs: readonly number[]): number {
  const most = logs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  if (most === Number.NEGATIVE_INFINITY) return most
  return most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0))
}

const logAdd = (a: number, b: number): number => logSum([a, b])
