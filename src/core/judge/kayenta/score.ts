import type { Label } from "./classify.ts"

export type Scored = {
  readonly name: string
  readonly label: Label
  readonly groups: readonly string[]
  /** What it does to the whole: a critical metric that does not pass makes the score 0. */
  readonly critical: boolean
}

export type GroupScore = { readonly name: string; readonly score: number; readonly hasData: boolean }

export type Score = {
  /** 0 to 100. */
  readonly total: number
  readonly groups: readonly GroupScore[]
  /** Why it is 0 whatever the groups say. */
  readonly zeroBecause?: "a critical metric" | "too little data" | undefined
}

/**
 * Group scores are the share of passes among the metrics that had data; the total is their sum by weight.
 * `weights` are percent; groups without one share what is left of 100.
 */
export function score(metrics: readonly Scored[], weights: Readonly<Record<string, number>>): Score {
  const names = [...new Set(metrics.flatMap((metric) => metric.groups))]
  const groups = names.map((name) => groupScore(name, metrics))
  const unweighted = names.filter((name) => weights[name] === undefined)
  const given = Object.values(weights).reduce((sum, weight) => sum + weight, 0)
  const left = unweighted.length > 0 ? (100 - given) / unweighted.length : 0
  // A group without any data does not pull the total down.
  const total = groups.reduce(
    (sum, group) => sum + ((group.hasData ? group.score : 100) * (weights[group.name] ?? left)) / 100,
    0,
  )
  const nodata = metrics.filter(({ label }) => label === "Nodata").length
  const zeroBecause = metrics.some(({ critical, label }) => critical && label !== "Pass")
    ? "a critical metric"
    : metrics.length === 0 || nodata / metrics.length >= 0.5
      ? "too little data"
      : undefined
  return { total: zeroBecause ? 0 : total, groups, zeroBecause }
}

function groupScore(name: string, metrics: readonly Scored[]): GroupScore {
  const seen = metrics.filter(({ groups, label }) => groups.includes(name) && label !== "Nodata")
  const passed = seen.filter(({ label }) => label === "Pass").length
  return { name, score: seen.length === 0 ? 0 : (100 * passed) / seen.length, hasData: seen.length > 0 }
}

export type Grade = "Pass" | "Marginal" | "Fail"

/** The end's word: at `pass` or above it passes, from `marginal` on it is marginal. */
export const gradeOf = (
  total: number,
  limits: { readonly pass: number; readonly marginal: number },
): Grade => (total >= limits.pass ? "Pass" : total >= limits.marginal ? "Marginal" : "Fail")

/** The end's word of repeated judgements; without a limit to pass it is enough to be marginal. */
export const passedAtLast = (final: number, marginal: number, pass: number | undefined): boolean =>
  final >= (pass ?? marginal)
