import type { House, Parts } from "./bets.ts"
import { afterGains, divided, gainsOf, sumOf } from "./bets.ts"
import type { Seen } from "./seen.ts"

/**
 * Evidence that the canary is worse. A part of the money is laid on the warm-up, against its wider
 * margins: what is so bad that no warm-up explains it need not wait for its end, and the many that start
 * cold and then go well cost the rest of the evidence next to nothing.
 */
export type Suspicion = {
  /** Natural logarithm of all wealth, of both lots together: of the e-value. */
  readonly log: number
  /** What each lot holds of it; both together sum to 1. */
  readonly warming: Parts
  readonly judged: Parts
}

const laidOnWarmUp = 0.2

export const openSuspicion = ({ shares }: House): Suspicion => ({
  log: 0,
  warming: shares.map((share) => share * laidOnWarmUp),
  judged: shares.map((share) => share * (1 - laidOnWarmUp)),
})

/** The suspicion after one interval that gave each guess this log e-value; see `settle`. */
export function addSuspicion(
  past: Suspicion,
  rules: House,
  logEs: readonly number[],
  cap: number,
  phase: Seen["phase"],
): Suspicion {
  const gains = gainsOf(logEs, cap)
  const warming = afterGains(past.warming, rules, gains)
  const judged = phase === "warming" ? past.judged : afterGains(past.judged, rules, gains)
  const sum = sumOf(warming) + sumOf(judged)
  return { log: past.log + Math.log(sum), warming: divided(warming, sum), judged: divided(judged, sum) }
}
