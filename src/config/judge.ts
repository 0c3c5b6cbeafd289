import type { KayentaPolicy, Policy } from "../core/model/policy.ts"
import { didYouMean } from "./problem.ts"
import type { JudgeFile } from "./schema.ts"

/** The limits of Spinnaker's own examples. */
const usual = { pass: 95, marginal: 75 }

/** Undefined is our own judge. */
export function judgePolicy(judge: JudgeFile | undefined): KayentaPolicy | undefined {
  if (judge === undefined || judge === "sequential") return undefined
  const said = judge === "kayenta" ? undefined : judge
  return {
    type: "kayenta",
    pass: said?.pass ?? usual.pass,
    marginal: said?.marginal ?? Math.min(usual.marginal, said?.pass ?? usual.pass),
    groups: said?.groups ?? {},
    metrics: said?.metrics ?? {},
  }
}

/** What is wrong with the choice of a judge, and where below `judge`. */
export function judgeProblems(
  judge: JudgeFile | undefined,
  metrics: readonly string[],
): readonly { readonly path: readonly string[]; readonly message: string }[] {
  const policy = judgePolicy(judge)
  if (!policy) return []
  const problems: { readonly path: readonly string[]; readonly message: string }[] = []
  const tell = (path: readonly string[], message: string) => problems.push({ path, message })
  if (policy.marginal > policy.pass)
    tell(
      ["marginal"],
      `marginal is ${policy.marginal}, above pass at ${policy.pass}: nothing could be marginal`,
    )
  const weights = Object.values(policy.groups).reduce((sum, weight) => sum + weight, 0)
  if (weights > 100)
    tell(["groups"], `the groups' weights add up to ${weights}; they are percent of one score`)
  for (const name of Object.keys(policy.metrics))
    if (!metrics.includes(name))
      tell(["metrics", name], `there is no metric "${name}" to judge.${didYouMean(name, metrics)}`)
  const used = new Set(metrics.flatMap((name) => policy.metrics[name]?.groups ?? ["all"]))
  for (const group of Object.keys(policy.groups))
    if (!used.has(group))
      tell(["groups", group], `no metric is in the group "${group}": its weight would be lost`)
  return problems
}

/** Kayenta judges at every fiftieth point, and a point is five seconds or as long as its source is asked. */
const pointsNeeded = 50
const shortestPoint = 5_000

/** Regions in which Kayenta's judge would never come to speak; a sentence for each. */
export function tooShortForKayenta({ judge, regions, metrics }: Policy): readonly string[] {
  if (!judge) return []
  const point = metrics.reduce(
    (longest, { source }) => Math.max(longest, "every" in source ? (source.every ?? 0) : 0),
    shortestPoint,
  )
  const needed = (pointsNeeded * point) / 1_000
  return regions.flatMap(({ name, compare }) => {
    if (!compare || (compare.for * (1 + compare.extensions)) / 1_000 >= needed) return []
    return [
      `Kayenta's judge waits for ${needed} s of points, and ${name} compares for ${compare.for / 1_000} s with ${compare.extensions} extensions: every rollout would wait for a person`,
    ]
  })
}
