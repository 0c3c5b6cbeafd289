import type { MetricPolicy } from "../model/policy.ts"
import type { Bets } from "./bets.ts"
import { house, logWealth, openBets, settle } from "./bets.ts"
import type { JudgeOptions, Pace } from "./options.ts"
import type { Suspicion } from "./suspicion.ts"
import { addSuspicion, logSuspicion, openSuspicion } from "./suspicion.ts"

/**
 * Whether a level (CPU, memory, a queue) of the canary lies beyond the control's by more than is tolerated.
 * Samples of a level hang together, so they are averaged over a minute, and minutes are what is weighed:
 * each one's difference of logarithms, in units of how much it jumps from minute to minute. A leak is a
 * difference that grows.
 */
export type Shift = {
  readonly worse: Suspicion
  readonly fine: Bets
  /** The minute under way: its seconds, and the sum and number of its differences. */
  readonly seconds: number
  readonly sum: number
  readonly count: number
  /** The last full minute's difference. */
  readonly last: number | undefined
  /** Sum of the squared jumps between minutes, halved, and their number. */
  readonly squares: number
  readonly jumps: number
}

const minute = 60
/** Bets on a shift by so many standard deviations of a minute. */
const steps = [0.25, 0.5, 1, 1.8]
const ourHouse = house([1, 1, 1, 1])
/** Before anything was seen: the standard deviation of a minute's difference, and how many jumps that is worth. */
const usualSpread = 0.04
const worthOfUsual = 5
/** No minute counts for more than so many standard deviations, and no bet gains more by it. */
const most = 3
const mostAgainst = 4
/** Neighbouring minutes resemble each other, so their jumps show less than all of their variance. */
const resemblance = 1.5
/** A fair bet on independent normal minutes loses half a square; these are neither, so it loses more. */
const loss = 0.65
const strangestJump = 9
/** Less than this is not excluded before a level is called ok, as a part of the control's. */
const leastExcluded = 0.1

export const openShift: Shift = {
  worse: openSuspicion(ourHouse),
  fine: openBets(ourHouse),
  seconds: 0,
  sum: 0,
  count: 0,
  last: undefined,
  squares: worthOfUsual * usualSpread ** 2,
  jumps: worthOfUsual,
}

export type Levels = { readonly canary: readonly number[]; readonly control: readonly number[] }

/** The evidence after one more interval; undefined levels, as in a warm-up, only let the time pass. */
export function foldShift(
  past: Shift,
  policy: MetricPolicy,
  options: JudgeOptions,
  seen: Levels | undefined,
  pace: Pace,
): Shift {
  const difference = seen && differenceOf(seen, policy)
  const sum = past.sum + (difference ?? 0)
  const count = past.count + (difference === undefined ? 0 : 1)
  const seconds = past.seconds + pace.seconds
  if (seconds < minute) return { ...past, sum, count, seconds }
  const next = { ...past, sum: 0, count: 0, seconds: 0 }
  return count === 0 ? next : foldMinute(next, policy, -Math.log(options.alpha), pace, sum / count)
}

function foldMinute(past: Shift, policy: MetricPolicy, proof: number, pace: Pace, difference: number): Shift {
  const spread = Math.sqrt(past.squares / past.jumps)
  const bet = (beyond: number) => {
    const z = Math.max(-mostAgainst, Math.min(most, beyond / spread))
    return steps.map((step) => step * z - loss * step * step)
  }
  const { tolerated, excluded } = limitsOf(policy)
  const jump = past.last === undefined ? undefined : difference - past.last
  const square = jump === undefined ? 0 : Math.min(strangestJump * spread ** 2, (resemblance * jump ** 2) / 2)
  return {
    ...past,
    worse: addSuspicion(past.worse, ourHouse, bet(difference - tolerated), (proof * 2) / most, "judged"),
    fine: settle(past.fine, ourHouse, bet(excluded - difference), most, pace.praiseCeiling),
    last: difference,
    squares: past.squares + square,
    jumps: past.jumps + (jump === undefined ? 0 : 1),
  }
}

/** Log e-value that the canary's level is worse. */
export const logShift = ({ worse }: Shift): number => logSuspicion(worse)

/** A worse level is excluded, at the alpha of promotion. */
export const isShiftExcluded = ({ fine }: Shift, promotionAlpha: number): boolean =>
  logWealth(fine) >= -Math.log(promotionAlpha)

/** What is tolerated and what must be excluded for an ok, as parts of the control's level. */
export const partsOf = ({ tolerateRatio }: MetricPolicy) => ({
  tolerated: tolerateRatio,
  excluded: Math.max(leastExcluded, 2 * tolerateRatio),
})

function limitsOf(policy: MetricPolicy): { readonly tolerated: number; readonly excluded: number } {
  const { tolerated, excluded } = partsOf(policy)
  return { tolerated: Math.log(1 + tolerated), excluded: Math.log(1 + excluded) }
}

/**
 * How far the canary's mean lies beyond the control's median, as a logarithm; one noisy instance of the
 * control does not move a median. A tolerated difference is added to all levels, so that those near 0
 * can be compared. Undefined where a side showed nothing, or a level without a logarithm.
 */
function differenceOf({ canary, control }: Levels, policy: MetricPolicy): number | undefined {
  if (canary.length === 0 || control.length === 0) return undefined
  const logOf = (value: number) => Math.log(value + policy.tolerateDelta)
  const logs = { canary: canary.map(logOf), control: control.map(logOf) }
  if (![...logs.canary, ...logs.control].every(Number.isFinite)) return undefined
  const mean = logs.canary.reduce((a, b) => a + b, 0) / canary.length
  const beyond = mean - median(logs.control)
  return policy.worse === "up" ? beyond : -beyond
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  const upper = sorted[half] ?? 0
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? upper) + upper) / 2
}
