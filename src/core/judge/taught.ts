import type { Bets, House } from "./bets.ts"
import { giveUpAbove, logSum, openBets, settle } from "./bets.ts"
import type { Suspicion } from "./suspicion.ts"
import { laidOnWarmUp, logSuspicion, waitingIn } from "./suspicion.ts"

/**
 * A player who bets against the margins of the policy from the first moment, for toy money as long as the first
 * warm-up lasts: a good canary may lose to him there. How rich he became says where real money is best laid
 * when judging begins.
 */
export type Taught = {
  readonly bets: Bets
  /** Natural logarithm of the toy money when the warm-up ended. */
  readonly lesson: number
}

/**
 * An e-value as it is weighed with those of other charges. Of all charges the same part of the money waits for the end
 * of the warm-up, and is then laid on each of them, and within each on each guess, by what the warm-up taught.
 */
export type Evidence = {
  /** Natural logarithm of what the charge made of its own money. */
  readonly own: number
  /** Of what toy money made, from the start until now; the part of the money that waits is taken into account. */
  readonly taught: number
  /** Of what toy money had made when the warm-up ended; 0 where it taught nothing. */
  readonly lesson: number
}

/** Three quarters of what is not laid on the warm-up; what it teaches may be its cold caches alone, so some is not. */
const laidAsTaught = 0.75 * (1 - laidOnWarmUp)

export const openTaught = (rules: House): Taught => ({ bets: openBets(rules), lesson: 0 })

/** After an interval of the first warm-up that gave each guess this log e-value against the policy's margins. */
export function teach({ bets }: Taught, rules: House, strict: readonly number[], cap: number): Taught {
  const played = settle(bets, rules, strict, cap)
  return { bets: played, lesson: played.log }
}

/** After a judged interval. */
export const playOn = (
  { bets, lesson }: Taught,
  rules: House,
  logEs: readonly number[],
  cap: number,
): Taught => ({
  bets: settle(bets, rules, logEs, cap),
  lesson,
})

/** What a suspicion and what a warm-up taught of it, if there was one, show together. */
export function evidenceIn(suspicion: Suspicion, taught: Taught | undefined): Evidence {
  const log = logSuspicion(suspicion)
  const waiting = (waitingIn(suspicion) * laidAsTaught) / (1 - laidOnWarmUp)
  return {
    own: log + Math.log(1 - waiting),
    taught: taught ? Math.log(laidAsTaught) + taught.bets.log : log + Math.log(waiting),
    lesson: taught?.lesson ?? 0,
  }
}

/** The evidence of a test that forgives nothing in a warm-up, by its log e-value now and when that ended. */
export const unforgiving = (logE: number, lesson = 0): Evidence => ({
  own: Math.log(1 - laidAsTaught) + logE,
  taught: Math.log(laidAsTaught) + logE,
  lesson,
})

/** A weighted mean of evidence. */
export function mixtureOf(parts: readonly { readonly of: Evidence; readonly share: number }[]): Evidence {
  const mean = (which: keyof Evidence) => logSum(parts.map(({ of, share }) => of[which] + Math.log(share)))
  return { own: mean("own"), taught: mean("taught"), lesson: mean("lesson") }
}

/**
 * Natural logarithm of the e-value, when all charges together had learned so much. Toy money is divided by all that
 * there was when judging began, so that what is laid then is no more than what had waited.
 */
export const logOf = ({ own, taught, lesson }: Evidence, lessonOfAll = lesson): number =>
  logSum([own, taught - lessonOfAll])

/** The same evidence, convicting nobody: no more than was laid. */
export const atMostNothing = ({ own, taught, lesson }: Evidence): Evidence => ({
  own: Math.min(own, Math.log(1 - laidAsTaught)),
  taught: Math.min(taught, Math.log(laidAsTaught) + lesson),
  lesson,
})

/** The same with no log e-value above this. */
export const taughtAtMost = ({ bets, lesson }: Taught, ceiling: number): Taught => ({
  bets: giveUpAbove(bets, lesson + ceiling),
  lesson,
})
