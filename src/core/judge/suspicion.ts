import type { House } from "./bets.ts"
import { mostAtOnce } from "./bets.ts"
import type { Seen } from "./seen.ts"

/**
 * Evidence that the canary is worse. A part of the money is laid on the warm-up, against its wider
 * margins: what is so bad that no warm-up explains it need not wait for its end, and the many that start
 * cold and then go well cost the rest of the evidence next to nothing.
 *
 * A row of numbers, small and quick to copy: the natural logarithm of all wealth (of the e-value), and what each guess
 * and the spare money hold of it, first of the lot for the warm-up, then of the other. These parts sum to 1.
 */
export type Suspicion = readonly number[]

/** The part of the money that is laid on the warm-up. */
export const laidOnWarmUp = 0.2

export const openSuspicion = ({ shares }: House): Suspicion => [
  0,
  ...shares.map((share) => share * laidOnWarmUp),
  ...shares.map((share) => share * (1 - laidOnWarmUp)),
]

export const logSuspicion = (suspicion: Suspicion): number => suspicion[0] ?? 0

/** The part of all wealth that is in the lot that waits for the end of a warm-up. */
export function waitingIn(suspicion: Suspicion): number {
  let sum = 0
  for (let i = (suspicion.length + 1) / 2; i < suspicion.length; i++) sum += suspicion[i] ?? 0
  return sum
}

/** The same suspicion with no more than this log wealth. */
export const suspicionAtMost = (past: Suspicion, ceiling: number): Suspicion => [
  Math.min(ceiling, logSuspicion(past)),
  ...past.slice(1),
]

/**
 * Changes the suspicion that starts at `at` of a row by one interval that gave each guess this log e-value, as `settle`
 * does with bets. In a warm-up the lot that is not for it waits.
 */
export function addSuspicion(
  row: number[],
  at: number,
  { shares, anew }: House,
  logEs: readonly number[],
  cap: number,
  phase: Seen["phase"],
): void {
  const size = shares.length
  const warming = at + 1
  const judged = warming + size
  const most = Math.min(cap, mostAtOnce)
  let warmingLaid = 0
  let judgedLaid = 0
  for (let i = 0; i < size; i++) {
    warmingLaid += anew * (row[warming + i] ?? 0)
    judgedLaid += anew * (row[judged + i] ?? 0)
  }
  const keep = 1 - anew
  let sum = 0
  for (let i = 0; i < size; i++) {
    const gain = i < logEs.length ? Math.exp(Math.min(logEs[i] ?? 0, most)) : 1
    const share = shares[i] ?? 0
    const inWarmUp = ((row[warming + i] ?? 0) * keep + share * warmingLaid) * gain
    const waiting = row[judged + i] ?? 0
    const after = phase === "warming" ? waiting : (waiting * keep + share * judgedLaid) * gain
    row[warming + i] = inWarmUp
    row[judged + i] = after
    sum += inWarmUp + after
  }
  row[at] = (row[at] ?? 0) + Math.log(sum)
  const scale = 1 / sum
  for (let i = warming; i < judged + size; i++) row[i] = (row[i] ?? 0) * scale
}

/** The suspicion after one more interval; see `addSuspicion`. */
export function withSuspicion(
  past: Suspicion,
  rules: House,
  logEs: readonly number[],
  cap: number,
  phase: Seen["phase"],
): Suspicion {
  const row = past.slice()
  addSuspicion(row, 0, rules, logEs, cap, phase)
  return row
}
