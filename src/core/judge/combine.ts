import type { MetricPolicy } from "../model/policy.ts"
import { logSum } from "./bets.ts"
import type { Look } from "./look.ts"
import type { Evidence } from "./taught.ts"
import { logOf, mixtureOf, unforgiving } from "./taught.ts"

/** Why a metric is accused: by comparison with the control, or by its absolute target. */
type Charge = "comparison" | "target"

export type Accusation = {
  /** Log e-value of this metric, as it is weighed. */
  readonly evidence: number
  /** The charge that convicts it, if any. */
  readonly guilty: Charge | undefined
}

const criticalWeight = 3

/**
 * Weighs all metrics together: one promise for the whole rollout, at `alpha`, however many metrics
 * there are and however they depend on each other. A weighted average of e-values is an e-value; it
 * is never later than a Bonferroni correction with the same weights. Current values, never maxima.
 *
 * A metric with a control and a target shares its weight between the two charges.
 */
export function accuse(
  metrics: readonly { readonly policy: MetricPolicy; readonly look: Look }[],
  alpha: number,
): readonly Accusation[] {
  const charges = metrics.map(({ look }) => chargesOf(look))
  const shares = metrics.map(({ policy }, i) =>
    charges[i]?.length === 0 ? 0 : policy.critical ? criticalWeight : 1,
  )
  const all = shares.reduce<number>((a, b) => a + b, 0)
  const mixtures = charges.map((own) =>
    own.length === 0 ? nothing : mixtureOf(own.map(({ of }) => ({ of, share: 1 / own.length }))),
  )
  const lessonOfAll =
    all > 0 ? mixtureOf(mixtures.map((of, i) => ({ of, share: (shares[i] ?? 0) / all }))).lesson : 0
  const evidence = mixtures.map((of) => logOf(of, lessonOfAll))
  const contributions = evidence.map((logE, i) => logE + Math.log((shares[i] ?? 0) / all))
  const proof = -Math.log(alpha)
  const proven = all > 0 && logSum(contributions) >= proof
  const largest = Math.max(...contributions)
  return metrics.map((_, i) => {
    const own = charges[i] ?? []
    const contribution = contributions[i] ?? Number.NEGATIVE_INFINITY
    const convicted = proven && (contribution >= proof || contribution === largest)
    return { evidence: evidence[i] ?? 0, guilty: convicted ? strongestOf(own) : undefined }
  })
}

const nothing = unforgiving(0)

type Weighed = { readonly charge: Charge; readonly of: Evidence }

function chargesOf({ comparison, targets }: Look): readonly Weighed[] {
  const charges: Weighed[] = []
  if (comparison !== undefined) charges.push({ charge: "comparison", of: comparison })
  if (targets.evidence !== undefined) charges.push({ charge: "target", of: unforgiving(targets.evidence) })
  return charges
}

const strongestOf = (charges: readonly Weighed[]): Charge | undefined =>
  charges.reduce<Weighed | undefined>((a, b) => (a && logOf(a.of) >= logOf(b.of) ? a : b), undefined)?.charge
