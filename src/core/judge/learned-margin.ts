import type { Copies } from "../model/measurement.ts"
import type { MetricPolicy } from "../model/policy.ts"
import { missingCopies } from "./copies.ts"
import type { Differences, Learned, Sides } from "./instance-differences.ts"
import { areToldApart, learnedFrom } from "./instance-differences.ts"
import type { Look } from "./look.ts"
import type { Widened } from "./margins.ts"
import type { JudgeOptions } from "./options.ts"
import type { Statistic } from "./statistic.ts"
import { chanceIn, remembersTooMuch, scatterIn } from "./statistic.ts"
import { atMostNothing } from "./taught.ts"
import type { Split } from "./traffic-split.ts"
import { mismatchOf } from "./traffic-split.ts"
import { percent } from "./words.ts"

/** What the comparison of a metric rests on, besides its evidence. */
export type Basis = {
  readonly policy: MetricPolicy
  readonly statistic: Statistic
  readonly spread: Differences
  /** Instances a side in the last interval; what was learned speaks of sides of this size. */
  readonly sizes: Sides
  readonly split: Split
  readonly copies: Copies
}

/** How a spread counts this metric. */
export const kindOf = ({ kind }: MetricPolicy): "share" | "level" =>
  kind === "error-proportion" ? "share" : "level"

/**
 * Learned margins hold but for this part of alpha: a sound canary whose instances happen to be the odd ones out.
 * What the bets may lose comes on top, and of that they are measured to use a fraction.
 */
const partForInstances = 0.25

/** What the control's instances taught of how far two sound sides may lie apart. */
export function learnedOf(
  { alpha }: JudgeOptions,
  { spread, policy, statistic, sizes }: Pick<Basis, "spread" | "policy" | "statistic" | "sizes">,
): Learned | undefined {
  // Most sources do not tell instances apart; then there is nothing to work out.
  if (spread.length < 2 && !areToldApart(sizes)) return undefined
  return learnedFrom(spread, kindOf(policy), scatterIn(statistic), sizes, alpha * partForInstances)
}

/** The policy as it accuses one instance beside one other, of which nothing can be learned. */
export const besideOne = (policy: MetricPolicy, alpha: number): MetricPolicy =>
  widened(policy, learnedFrom([], kindOf(policy), 1, { canary: 1, control: 1 }, alpha * partForInstances))

/** Instances that lie this far apart hide even a doubling. */
const tooFarApart = 1

/** That they do is theirs to show: what is only believed of instances nobody saw never hides a doubling. */
const ratioOf = ({ ratio, unseen }: Learned): number =>
  ratio > tooFarApart && ratio <= unseen() ? tooFarApart : ratio

/**
 * The policy with its margin, or with the learned one where that is wider. Where nothing was learned it is wider for
 * the accusation only: a metric is called ok by what the policy says.
 */
export function widened(policy: MetricPolicy, learned: Learned | undefined): Widened {
  const ratio = learned ? ratioOf(learned) : 0
  if (!learned || ratio <= policy.tolerateRatio) return policy
  const nothingLearned = learned.instances < 2
  return {
    ...policy,
    tolerateRatio: ratio,
    ...(nothingLearned ? { excludeRatio: policy.tolerateRatio } : {}),
  }
}

/** Why a comparison is not to be relied on: its metric advises, it does not pass. */
export type Doubt = {
  readonly kind: "unsure" | "nodata"
  readonly because: string
  /** Whether it may accuse all the same. */
  readonly convicts: boolean
}

/** Undefined as long as nothing speaks against the assumptions of the comparison. */
export function doubtOf(
  { split, statistic, copies, policy }: Basis,
  learned: Learned | undefined,
): Doubt | undefined {
  const mismatch = mismatchOf(split)
  // A canary that is left out because it fails must not be protected by that.
  if (mismatch) return { kind: "nodata", because: mismatch.because, convicts: mismatch.starved }
  const missing = missingCopies(copies)
  // What is left of the copies flatters the candidate: if even that is worse, it is worse.
  if (missing !== undefined) return { kind: "nodata", because: missing, convicts: true }
  if (learned && ratioOf(learned) > tooFarApart) {
    const because =
      `the control's ${learned.instances} instances differ among themselves (typically by ${percent(learned.typical)}): ` +
      "even a doubling could be chance"
    return { kind: "unsure", because, convicts: false }
  }
  if (remembersTooMuch(statistic)) {
    const because = "it changes so slowly that minutes are no evidence of their own: hours would be needed"
    return { kind: "unsure", because, convicts: false }
  }
  const chance = chanceIn(statistic, widened(policy, learned))
  if (chance) {
    const because =
      `by chance alone equal sides lie about ${percent(chance.apart)} apart so far, ` +
      `which is too near to the ${percent(chance.tolerated)} that are tolerated`
    return { kind: "unsure", because, convicts: false }
  }
  return undefined
}

/** It keeps its weight among the metrics, or the others would be weighed by what it showed. */
export const withoutComparison = (look: Look): Look =>
  look.comparison === undefined ? look : { ...look, comparison: atMostNothing(look.comparison) }

const oneAlone = "one instance of the control does not tell how far two may lie apart"

/** What widens what is tolerated by less than this share of it is not told. */
const leastTold = 0.1

/** Says where a margin comes from that the policy does not name. */
export function tellWhy(look: Look, { tolerateRatio }: MetricPolicy, learned: Learned | undefined): Look {
  if (!learned || look.tolerated === undefined) return look
  // Of next to nothing a wider ratio is nothing: then the reason would only confuse.
  const added = (look.control?.value ?? 0) * (ratioOf(learned) - tolerateRatio)
  if (added <= leastTold * (look.limit ?? 0)) return look
  if (learned.instances < 2) {
    const because = `${look.promotion.because}; ${oneAlone}`
    return {
      ...look,
      tolerated: `${look.tolerated}, as ${oneAlone}`,
      promotion: look.promotion.enough ? look.promotion : { enough: false, because },
    }
  }
  const tolerated = `${look.tolerated}, as the control's ${learned.instances} instances differ by ${percent(learned.typical)}`
  return { ...look, tolerated }
}
