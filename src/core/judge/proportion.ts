import type { Observation } from "../model/measurement.ts"
import type { MetricPolicy } from "../model/policy.ts"
import type { Bets } from "./bets.ts"
import { house, logWealth, openBets, settle } from "./bets.ts"
import type { Dispersion } from "./dispersion.ts"
import { addControl, noDispersion, phiOf } from "./dispersion.ts"
import { differenceOf, wilson } from "./display-interval.ts"
import { alternativeAt, exactBernoulliLogE } from "./exact-bernoulli.ts"
import type { Bound, Guard } from "./guard.ts"
import { openGuard, watch } from "./guard.ts"
import type { Look, Promotion } from "./look.ts"
import { nothingToCompare, promotionByTargets, tooFew } from "./look.ts"
import { excludedFor, toleratedBy } from "./margins.ts"
import type { JudgeOptions, Pace } from "./options.ts"
import { readProportion } from "./readings.ts"
import { riskRatioLogE } from "./risk-ratio.ts"
import type { Counts, Margin, Tally } from "./tally.ts"
import { addCounts, nothingCounted, rateOf } from "./tally.ts"
import type { Target, TargetLook } from "./targets.ts"
import { lookAtTargets, targetsOf } from "./targets.ts"
import { grouped, percent } from "./words.ts"

/** The evidence on a share of requests: errors, or successes where less is worse. */
export type ProportionState = {
  readonly kind: "proportion"
  readonly canary: Counts
  readonly control: Counts
  readonly worse: Bets
  readonly fine: Bets
  readonly dispersion: Dispersion
  readonly guards: readonly Guard[]
}

const worseBy = [1.4, 2, 4, 12, 60]
const fineBy = [0.05, 0.2, 0.5, 0.8]
const worseHouse = house([1, 2, 3, 4, 2])
const fineHouse = house([1, 1, 1, 1])

/** Above this rate of the reference the exact test is worth its cost. */
const largeProportion = 0.05

export function openProportion(policy: MetricPolicy, options: JudgeOptions): ProportionState {
  return {
    kind: "proportion",
    canary: nothingCounted,
    control: nothingCounted,
    worse: openBets(worseHouse),
    fine: openBets(fineHouse),
    dispersion: noDispersion,
    guards: targetsOf(policy, options.solo).map(() => openGuard),
  }
}

export function foldProportion(
  past: ProportionState,
  policy: MetricPolicy,
  options: JudgeOptions,
  pace: Pace,
  seen: { readonly canary: Observation | undefined; readonly control: Observation | undefined },
): ProportionState {
  const canary = readProportion(seen.canary) ?? nothingCounted
  const control = (options.solo ? undefined : readProportion(seen.control)) ?? nothingCounted
  const phi = phiOf(past.dispersion, "trials")
  const up = policy.worse === "up"
  const tally = up
    ? { n1: canary.n, k1: canary.k, n0: control.n, k0: control.k }
    : { n1: control.n, k1: control.k, n0: canary.n, k0: canary.k }
  // Which form, and its guess at the reference, come from the past only; by the reference and not the
  // pooled rate, so that a canary that fails does not choose the test it is put to.
  const reference = up ? past.control : past.canary
  const guess = (reference.k + 0.5) / (reference.n + 50)
  const bet = (margin: Margin, effects: readonly number[]) =>
    effects.map((effect) => logEOf(tally, margin, effect, guess) / phi)
  const compared = tally.n1 > 0 && tally.n0 > 0
  return {
    kind: "proportion",
    canary: addCounts(past.canary, canary),
    control: addCounts(past.control, control),
    worse: compared
      ? settle(past.worse, worseHouse, bet(toleratedBy(policy), worseBy), pace.accusation)
      : past.worse,
    fine: compared
      ? settle(past.fine, fineHouse, bet(excludedFor(policy), fineBy), pace.praise, pace.praiseCeiling)
      : past.fine,
    dispersion: addControl(past.dispersion, control),
    guards: targetsOf(policy, options.solo).map((target, i) => {
      const trials = ({ n, k }: Counts) => (target.side === "max" ? { n, k } : { n, k: n - k })
      const against = options.solo ? "none" : trials(control)
      return watch(past.guards[i] ?? openGuard, boundOf(target), trials(canary), against, phi, pace)
    }),
  }
}

function logEOf(tally: Tally, margin: Margin, effect: number, reference: number): number {
  if (reference <= largeProportion) return riskRatioLogE(tally, margin, effect)
  const alternative = alternativeAt(reference, margin, effect)
  return alternative ? exactBernoulliLogE(tally, margin, alternative) : 0
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
    comparison: options.solo ? undefined : logWealth(state.worse),
    targets,
    numbers: `${percent(rateOf(canary))} of ${grouped(canary.n)} requests${failed}${
      control.n > 0 ? `, control ${percent(base)} of ${grouped(control.n)}` : ""
    }`,
    tolerated: both ? `at ${up ? "most" : "least"} ${percent(worst)} is tolerated` : undefined,
    promotion: promotionOf(state, policy, options, targets),
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
  return logWealth(fine) >= -Math.log(options.promotionAlpha)
    ? { enough: true, because: `${excluded} is excluded` }
    : { enough: false, because: `${excluded} is not excluded yet` }
}
