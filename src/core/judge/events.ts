import type { MetricPolicy } from "../model/policy.ts"
import type { Bets } from "./bets.ts"
import { house, openBets, settle } from "./bets.ts"
import type { Dispersion } from "./dispersion.ts"
import { phiOf, usualDispersion, withSplit } from "./dispersion.ts"
import type { Interval } from "./display-interval.ts"
import { differenceOf, poissonInterval } from "./display-interval.ts"
import { effectsOf } from "./effects.ts"
import type { Bound, Guard } from "./guard.ts"
import { openGuard, watch } from "./guard.ts"
import type { Look, Promotion } from "./look.ts"
import { nothingToCompare } from "./look.ts"
import type { JudgeOptions, Pace } from "./options.ts"
import { readEvents } from "./readings.ts"
import { riskRatioLogEs } from "./risk-ratio.ts"
import type { Seen } from "./seen.ts"
import { hasBegun, isFirstWarmUp, numbersSoFar } from "./seen.ts"
import type { Counts, Margin } from "./tally.ts"
import { addCounts, nothingCounted, rateOf } from "./tally.ts"
import type { Target, TargetLook } from "./targets.ts"
import { lookAtTargets, targetsOf } from "./targets.ts"
import { unforgiving } from "./taught.ts"
import { grouped, short } from "./words.ts"

/** The evidence on events in time: crashes, restarts, sign-ups. Counts are per instance-second. */
export type EventsState = {
  readonly kind: "events"
  readonly begun: boolean
  readonly canary: Counts
  readonly control: Counts
  readonly worse: Bets
  /** Its log e-value when the first warm-up ended, which it does not forgive. */
  readonly lesson: number
  readonly dispersion: Dispersion
  readonly guards: readonly Guard[]
}

const worseBy = effectsOf([1.15, 1.4, 2, 6, 30])
const ourHouse = house(worseBy.map(() => 1))
const perMinute = 60
/** Instance-seconds of a canary before its silence says anything. */
const leastExposure = 1

/** The policy speaks of events a minute and instance, the counts of instance-seconds. */
const marginOf = (policy: MetricPolicy): Margin => ({
  r: 1 + policy.tolerateRatio,
  d: policy.tolerateDelta / perMinute,
})

export function openEvents(policy: MetricPolicy, options: JudgeOptions): EventsState {
  return {
    kind: "events",
    begun: false,
    canary: nothingCounted,
    control: nothingCounted,
    worse: openBets(ourHouse),
    lesson: 0,
    dispersion: usualDispersion,
    guards: targetsOf(policy, options.solo).map(() => openGuard),
  }
}

export function foldEvents(
  past: EventsState,
  policy: MetricPolicy,
  options: JudgeOptions,
  pace: Pace,
  seen: Seen,
): EventsState {
  const canary = readEvents(seen.canary) ?? nothingCounted
  const control = (options.solo ? undefined : readEvents(seen.control)) ?? nothingCounted
  const tally =
    policy.worse === "up"
      ? { n1: canary.n, k1: canary.k, n0: control.n, k0: control.k }
      : { n1: control.n, k1: control.k, n0: canary.n, k0: canary.k }
  const phi = phiOf(past.dispersion, tally)
  const logEs = riskRatioLogEs(tally, marginOf(policy), worseBy, phi)
  // A cold start may be slow; that it crashes or loses sign-ups is forgiven in no phase.
  const compared = canary.n > 0 && control.n > 0
  const worse = compared ? settle(past.worse, ourHouse, logEs, pace.accusation) : past.worse
  const dispersion = withSplit(past.dispersion, tally, "exposure")
  const both = {
    ...past,
    begun: hasBegun(past, seen.phase),
    canary: numbersSoFar(past, canary, seen.phase, addCounts, nothingCounted),
    control: addCounts(past.control, control),
    worse,
    lesson: isFirstWarmUp(past, seen.phase) ? worse.log : past.lesson,
    dispersion,
  }
  if (seen.phase === "warming") return both
  return {
    ...both,
    guards: targetsOf(policy, options.solo).map((target, i) => {
      const against = options.solo ? "none" : control
      return watch(past.guards[i] ?? openGuard, boundOf(target), canary, against, phi, pace)
    }),
  }
}

const boundOf = ({ side, value }: Target): Bound => ({
  of: "events",
  limit: value / perMinute,
  bad: side === "max" ? "above" : "below",
})

export function lookAtEvents(state: EventsState, policy: MetricPolicy, options: JudgeOptions): Look {
  const { canary, control } = state
  const watched = targetsOf(policy, options.solo).map((target, i) => ({
    target,
    bound: boundOf(target),
    guard: state.guards[i] ?? openGuard,
  }))
  const targets = lookAtTargets(policy, watched, options.promotionAlpha)
  const both = canary.n > 0 && control.n > 0
  const base = rateOf(control)
  const worst = toleratedRate(base, policy)
  const up = policy.worse === "up"
  return {
    unit: "per min",
    canary: canary.n > 0 ? { value: rateOf(canary) * perMinute, samples: canary.k } : undefined,
    control: control.n > 0 ? { value: base * perMinute, samples: control.k } : undefined,
    difference: both ? differenceOf(inMinutes(canary), inMinutes(control)) : undefined,
    limit: both ? Math.abs(worst - base) * perMinute : undefined,
    comparison: options.solo ? undefined : unforgiving(state.worse.log, state.lesson),
    targets,
    numbers: `${told(canary)}${control.n > 0 ? `, control ${told(control)}` : ""}`,
    tolerated: both
      ? `at ${up ? "most" : "least"} ${short(worst * perMinute)} per min is tolerated`
      : undefined,
    promotion: promotionOf(state, policy, options, targets),
  }
}

const told = ({ n, k }: Counts): string =>
  `${grouped(k)} ${k === 1 ? "event" : "events"} in ${grouped(n)} instance-seconds`

function inMinutes(counts: Counts): Interval {
  const { estimate, low, high } = poissonInterval(counts)
  return { estimate: estimate * perMinute, low: low * perMinute, high: high * perMinute }
}

function toleratedRate(base: number, policy: MetricPolicy): number {
  const { r, d } = marginOf(policy)
  return policy.worse === "up" ? r * base + d : Math.max(0, (base - d) / r)
}

/**
 * Rare events cannot be excluded within minutes; asking for it would hold every rollout for hours. So
 * here ok means only that the canary was seen, and showed no more than is tolerated.
 */
function promotionOf(
  { canary, control }: EventsState,
  policy: MetricPolicy,
  options: JudgeOptions,
  targets: TargetLook,
): Promotion {
  if (canary.n < leastExposure) return { enough: false, because: "seen for less than a second" }
  if (options.solo) {
    return targets.canaryBreaks
      ? { enough: false, because: `${targets.words}, and it is broken just now` }
      : { enough: true, because: targets.words }
  }
  if (control.n === 0) return nothingToCompare
  const worst = toleratedRate(rateOf(control), policy)
  const within = policy.worse === "up" ? rateOf(canary) <= worst : rateOf(canary) >= worst
  return within
    ? { enough: true, because: "no more than is tolerated was seen" }
    : { enough: false, because: "more than is tolerated, which may still be chance" }
}
