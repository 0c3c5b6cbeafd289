import type { Bets, House } from "./bets.ts"
import { giveUpAbove, logSum, logWealth, openBets, settle } from "./bets.ts"
import type { Seen } from "./seen.ts"

/**
 * Evidence that the canary is worse. A part of the money is laid on the warm-up, against its wider
 * margins: what is so bad that no warm-up explains it need not wait for its end, and the many that start
 * cold and then go well cost the rest of the evidence next to nothing.
 */
export type Suspicion = { readonly warming: Bets; readonly judged: Bets }

const laidOnWarmUp = 0.2

export const openSuspicion = (rules: House): Suspicion => ({
  warming: openBets(rules),
  judged: openBets(rules),
})

/** The suspicion after one interval that gave each guess this log e-value; see `settle`. */
export function addSuspicion(
  past: Suspicion,
  rules: House,
  logEs: readonly number[],
  cap: number,
  phase: Seen["phase"],
): Suspicion {
  const warming = settle(past.warming, rules, logEs, cap)
  return { warming, judged: phase === "warming" ? past.judged : settle(past.judged, rules, logEs, cap) }
}

/** Natural logarithm of the e-value. */
export const logSuspicion = ({ warming, judged }: Suspicion): number =>
  logSum([Math.log(laidOnWarmUp) + logWealth(warming), Math.log(1 - laidOnWarmUp) + logWealth(judged)])

/** The same suspicion with no part above this log e-value. */
export const suspicionAtMost = (past: Suspicion, ceiling: number): Suspicion => ({
  warming: giveUpAbove(past.warming, ceiling),
  judged: giveUpAbove(past.judged, ceiling),
})
