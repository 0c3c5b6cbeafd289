import type { Bets } from "./bets.ts"
import { house, openBets, settle } from "./bets.ts"
import { oneSampleBernoulliLogE } from "./one-sample-bernoulli.ts"
import { oneSamplePoissonLogE } from "./one-sample-poisson.ts"
import type { Pace } from "./options.ts"
import type { Counts } from "./tally.ts"
import { addCounts, nothingCounted } from "./tally.ts"

/** Evidence against one absolute target. */
export type Guard = {
  readonly broken: Bets
  readonly kept: Bets
  /** Recent counts, older ones fading: what the cohorts do now. */
  readonly canary: Counts
  readonly control: Counts
}

/**
 * An absolute target as a bound on a share of trials or on a rate of events (a second), and on which
 * side of it the bad lies.
 */
export type Bound = {
  readonly of: "trials" | "events"
  readonly limit: number
  readonly bad: "above" | "below"
}

const factors = [1.4, 2, 4, 12, 60]
const ourHouse = house([1, 1, 1, 1, 1])
const fading = 0.9
// A target of 0 leaves no room for a bet; one in a million is as strict in practice.
const least = 1e-6

export const openGuard: Guard = {
  broken: openBets(ourHouse),
  kept: openBets(ourHouse),
  canary: nothingCounted,
  control: nothingCounted,
}

/**
 * One interval. `control` is "none" when the canary is alone. An interval in which the control breaks
 * the target too, or could not be seen, is no evidence against the canary: that is the world, or may be.
 */
export function watch(
  guard: Guard,
  bound: Bound,
  canary: Counts | undefined,
  control: Counts | "none" | undefined,
  phi: number,
  pace: Pace,
): Guard {
  const seenControl = control === undefined || control === "none" || control.n === 0 ? undefined : control
  const recentControl = seenControl ? fade(guard.control, seenControl) : guard.control
  if (!canary || canary.n === 0) return { ...guard, control: recentControl }
  const worldKeepsIt =
    control === "none" ||
    (seenControl !== undefined && !breaks(seenControl, bound) && !breaks(recentControl, bound))
  const logEs = (towards: "bad" | "good") =>
    factors.map((factor) => {
      const effect = (towards === "bad") === (bound.bad === "above") ? factor : 1 / factor
      return logE(bound, canary, effect) / phi
    })
  return {
    broken: worldKeepsIt ? settle(guard.broken, ourHouse, logEs("bad"), pace.accusation) : guard.broken,
    kept: settle(guard.kept, ourHouse, logEs("good"), pace.praise, pace.praiseCeiling),
    canary: fade(guard.canary, canary),
    control: recentControl,
  }
}

export const breaks = (counts: Counts, { bad, limit }: Bound): boolean =>
  counts.n > 0 && (bad === "above" ? counts.k / counts.n > limit : counts.k / counts.n < limit)

/** The target is kept, at the alpha of promotion. */
export const isKept = (guard: Guard, promotionAlpha: number): boolean =>
  guard.kept.log >= -Math.log(promotionAlpha)

function logE({ of, limit }: Bound, counts: Counts, effect: number): number {
  const strict = Math.max(least, limit)
  return of === "trials"
    ? oneSampleBernoulliLogE(counts, Math.min(1 - least, strict), effect)
    : oneSamplePoissonLogE(counts, strict, effect)
}

const fade = (past: Counts, now: Counts): Counts => addCounts({ n: past.n * fading, k: past.k * fading }, now)
