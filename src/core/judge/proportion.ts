import type { MetricPolicy } from "../model/policy.ts"
import type { Bets } from "./bets.ts"
import { house, openBets, settle } from "./bets.ts"
import type { Dispersion } from "./dispersion.ts"
import { phiOf, usualDispersion, withSplit } from "./dispersion.ts"
import { differenceOf, wilson } from "./display-interval.ts"
import type { Effect } from "./effects.ts"
import { effectsOf } from "./effects.ts"
import { exactBernoulliLogEs } from "./exact-bernoulli.ts"
import type { Bound, Guard } from "./guard.ts"
import { openGuard, watch } from "./guard.ts"
import type { HarmState } from "./harm-bound.ts"
import { foldHarm, harmBoundOf, openHarm } from "./harm-bound.ts"
import type { Look, Promotion } from "./look.ts"
import { nothingToCompare, promotionByTargets, tooFew } from "./look.ts"
import { excludedFor, toleratedBy } from "./margins.ts"
import type { JudgeOptions, Pace } from "./options.ts"
import { readProportion } from "./readings.ts"
import { riskRatioLogEs } from "./risk-ratio.ts"
import type { Seen } from "./seen.ts"
import { hasBegun, isFirstWarmUp, numbersSoFar } from "./seen.ts"
import type { Suspicion } from "./suspicion.ts"
import { openSuspicion, withSuspicion } from "./suspicion.ts"
import type { Counts, Margin, Tally } from "./tally.ts"
import { addCounts, nothingCounted, rateOf } from "./tally.ts"
import type { Target, TargetLook } from "./targets.ts"
import { lookAtTargets, targetsOf } from "./targets.ts"
import type { Taught } from "./taught.ts"
import { evidenceIn, openTaught, playOn, teach } from "./taught.ts"
import { grouped, percent } from "./words.ts"

/** The evidence on a share of requests: errors, or successes where less is worse. */
export type ProportionState = {
  readonly kind: "proportion"
  readonly begun: boolean
  readonly canary: Counts
  readonly control: Counts
  readonly worse: Suspicion
  /** Once a warm-up was seen. */
  readonly taught?: Taught
  readonly fine: Bets
  readonly dispersion: Dispersion
  readonly guards: readonly Guard[]
  /** Kept for a ramp only. */
  readonly harm?: HarmState
}

const worseBy = effectsOf([1.2, 1.6, 2.5, 6, 40])
const fineBy = effectsOf([0.05, 0.2, 0.5, 0.8])
const worseHouse = house([1, 2, 3, 3, 2])
/** How the money is laid against more failures, for those who measure the test. */
export const failureBets = { effects: worseBy, rules: worseHouse }
const fineHouse = house([1, 1, 1, 1])

/** More failures than this a cold start does not explain, as a fraction of the requests. */
const warmUpFailures = 0.02

/** Above this rate of the reference the exact test is worth its cost. */
const largeProportion = 0.05

export function openProportion(policy: MetricPolicy, options: JudgeOptions): ProportionState {
  return {
    kind: "proportion",
    begun: false,
    canary: nothingCounted,
    control: nothingCounted,
    worse: openSuspicion(worseHouse),
    fine: openBets(fineHouse),
    dispersion: usualDispersion,
    guards: targetsOf(policy, options.solo).map(() => openGuard),
    ...(options.harm && policy.worse === "up" ? { harm: openHarm } : {}),
  }
}

export function foldProportion(
  past: ProportionState,
  policy: MetricPolicy,
  options: JudgeOptions,
  pace: Pace,
  seen: Seen,
): ProportionState {
  const canary = readProportion(seen.canary) ?? nothingCounted
  const control = (options.solo ? undefined : readProportion(seen.control)) ?? nothingCounted
  const up = policy.worse === "up"
  const tally = up
    ? { n1: canary.n, k1: canary.k, n0: control.n, k0: control.k }
    : { n1: control.n, k1: control.k, n0: canary.n, k0: canary.k }
  const phi = phiOf(past.dispersion, tally)
  // Which form, and its guess at the reference, come from the past only; by the reference and not the
  // pooled rate, so that a canary that fails does not choose the test it is put to.
  const reference = up ? past.control : past.canary
  const guess = (reference.k + 0.5) / (reference.n + 50)
  const compared = tally.n1 > 0 && tally.n0 > 0
  const tolerated = toleratedBy(policy)
  const patient = seen.phase === "warming" ? { ...tolerated, d: tolerated.d + warmUpFailures } : tolerated
  const judged = seen.phase === "judged"
  const against = compared ? logEsOf(tally, patient, worseBy, guess, phi) : undefined
  const worse = against
    ? withSuspicion(past.worse, worseHouse, against, pace.accusation, seen.phase)
    : past.worse
  const learn = () => {
    if (isFirstWarmUp(past, seen.phase)) {
      const strict = logEsOf(tally, tolerated, worseBy, guess, phi)
      return teach(past.taught ?? openTaught(worseHouse), worseHouse, strict, pace.accusation)
    }
    return past.taught && judged && against
      ? playOn(past.taught, worseHouse, against, pace.accusation)
      : past.taught
  }
  const taught = compared ? learn() : past.taught
  const fine =
    compared && judged
      ? settle(
          past.fine,
          fineHouse,
          logEsOf(tally, excludedFor(policy), fineBy, guess, phi),
          pace.praise,
          pace.praiseCeiling,
        )
      : past.fine
  const next: ProportionState = {
    kind: "proportion",
    begun: hasBegun(past, seen.phase),
    canary: numbersSoFar(past, canary, seen.phase, addCounts, nothingCounted),
    control: addCounts(past.control, control),
    worse,
    ...(taught ? { taught } : {}),
    fine,
    dispersion: withSplit(past.dispersion, tally, "requests"),
    guards:
      judged && past.guards.length > 0
        ? foldGuards(past, policy, options, { canary, control }, phi, pace)
        : past.guards,
  }
  if (past.harm === undefined) return next
  return { ...next, harm: judged ? foldHarm(past.harm, tally, phi, pace) : past.harm }
}

function foldGuards(
  past: ProportionState,
  policy: MetricPolicy,
  { solo }: JudgeOptions,
  { canary, control }: { readonly canary: Counts; readonly control: Counts },
  phi: number,
  pace: Pace,
): readonly Guard[] {
  return targetsOf(policy, solo).map((target, i) => {
    const trials = ({ n, k }: Counts) => (target.side === "max" ? { n, k } : { n, k: n - k })
    const against = solo ? "none" : trials(control)
    return watch(past.guards[i] ?? openGuard, boundOf(target), trials(canary), against, phi, pace)
  })
}

function logEsOf(tally: Tally, margin: Margin, effects: readonly Effect[], guess: number, phi: number) {
  return guess <= largeProportion
    ? riskRatioLogEs(tally, margin, effects, phi)
    : exactBernoulliLogEs(tally, margin, guess, effects, phi)
}

const boundOf = ({ side, value }: Target): Bound =>
  side === "max"
    ? { of: "trials", limit: value, bad: "above" }
    : { of: "trials", limit: 1 - value, bad: "above" }

export function lookAtProportion(state: ProportionState, policy: MetricPolicy, options: JudgeOptions): Look {
  const { canary, control } = state
  const up = policy.worse === "up"
  const watched = targetsOf(policy, options.solo).map((target, i) => ({
    target,
    bound: boundOf(target),
    guard: state.guards[i] ?? openGuard,
  }))
  const targets = lookAtTargets(policy, watched, options.promotionAlpha)
  const { r, d } = toleratedBy(policy)
  const base = rateOf(control)
  const worst = up ? Math.min(1, r * base + d) : Math.max(0, (base - d) / r)
  const both = canary.n > 0 && control.n > 0
  const failed = up ? " failed" : ""
  return {
    unit: "%",
    canary: canary.n > 0 ? { value: rateOf(canary), samples: canary.n } : undefined,
    control: control.n > 0 ? { value: base, samples: control.n } : undefined,
    difference: both ? differenceOf(wilson(canary), wilson(control)) : undefined,
    limit: both ? Math.abs(worst - base) : undefined,
    comparison: options.solo ? undefined : evidenceIn(state.worse, state.taught),
    targets,
    numbers: `${percent(rateOf(canary))} of ${grouped(canary.n)} requests${failed}${
      control.n > 0 ? `, control ${percent(base)} of ${grouped(control.n)}` : ""
    }`,
    tolerated: both ? `at ${up ? "most" : "least"} ${percent(worst)} is tolerated` : undefined,
    promotion: promotionOf(state, policy, options, targets),
    harm: state.harm && harmBoundOf(state.harm, options.promotionAlpha),
  }
}

function promotionOf(
  { canary, control, fine }: ProportionState,
  policy: MetricPolicy,
  options: JudgeOptions,
  targets: TargetLook,
): Promotion {
  const few = tooFew(canary.n, options.minSamples)
  if (few) return few
  if (options.solo) return promotionByTargets(targets)
  if (control.n === 0) return nothingToCompare
  const { r, d } = excludedFor(policy)
  const up = policy.worse === "up"
  const bound = up ? r * rateOf(control) + d : (rateOf(control) - d) / r
  const excluded =
    bound >= 1 || bound <= 0 ? "that much worse" : `${up ? "more" : "less"} than ${percent(bound)}`
  return fine.log >= -Math.log(options.promotionAlpha)
    ? { enough: true, because: `${excluded} is excluded` }
    : { enough: false, because: `${excluded} is not excluded yet` }
}
