import type { RampPolicy } from "../model/policy.ts"
import type { Verdict } from "../model/verdict.ts"
import type { Rollout, Step, Underway } from "./rollout.ts"
import { regionPolicy } from "./rollout.ts"

/** The weights that an adaptive ramp climbs. Its bound speaks of all of them but the first and the last. */
export const ladder: readonly number[] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]

/**
 * The share of the traffic, at most one half, at which extra failures stay within the budget even if every one
 * that is not excluded happens: h/(R·U), the smallest over the metrics. 0 while no metric bounds them.
 */
export function allowedShare({ harm }: RampPolicy, verdicts: readonly Verdict[]): number {
  const shares = verdicts.flatMap(({ harm: bound }) =>
    bound ? [harm / Math.max(bound.perMinute * bound.upTo, Number.MIN_VALUE)] : [],
  )
  return shares.length === 0 ? 0 : Math.min(0.5, ...shares)
}

/** What the budget says of leaving a step for the next one; undefined where no budget decides. */
export type Budget = { readonly enough: boolean; readonly because: string }

/** Only for a step between the first weight and the last: everything is never reached by a budget alone. */
export function budgetFor(rollout: Rollout, now: Underway, verdicts: readonly Verdict[]): Budget | undefined {
  const { ramp } = regionPolicy(rollout)
  if (!ramp || now.name !== "shifting" || now.reachedAt === undefined) return undefined
  const next: Step | undefined = rollout.schedule[now.step + 1]
  if (!next || next.weight >= 1) return undefined
  const share = allowedShare(ramp, verdicts)
  const told = verdicts.some(({ kind }) => kind === "worse" || kind === "nodata")
  const enough = !told && share >= next.weight
  const budget = `${ramp.harm} extra failures a minute`
  return {
    enough,
    because: enough
      ? `at ${percent(next.weight)} of the traffic no more than ${budget} can happen`
      : `the budget of ${budget} allows ${percent(share)} of the traffic so far, not ${percent(next.weight)}`,
  }
}

/** What a ramp promises, as long as it lasts. */
export const boundInWords = ({ harm }: RampPolicy): string =>
  `a release that steadily fails more than the old one costs at most ${harm} extra failures a minute, or what it ` +
  "fails at 1 % of the traffic if that is more, until 100 %; this holds with a probability of 95 %"

const percent = (share: number): string => `${Number((share * 100).toPrecision(2))} %`
