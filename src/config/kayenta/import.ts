import {
  type CanaryAnalysis,
  type CanaryConfig,
  type CanaryMetric,
  readCanaryConfig,
} from "./canary-config.ts"
import { promqlOf } from "./promql.ts"

/** What became of one thing of the other file, in a sentence. */
export type ReportLine = {
  readonly kind: "mapped" | "changed" | "dropped"
  readonly what: string
  readonly how: string
}

export type Imported = {
  /** Keys of immunity.yaml, in dry-run. */
  readonly yaml: {
    readonly metrics: {
      readonly http: false
      readonly sources: Readonly<Record<string, object>>
      readonly list: Readonly<Record<string, object>>
    }
    readonly judge: object
    readonly autonomy: { readonly default: "dry-run" }
  }
  readonly report: readonly ReportLine[]
}

type Mapped = {
  readonly name: string
  readonly metric: object
  readonly judge: object
  readonly groups: readonly string[]
  readonly report: readonly ReportLine[]
}

const source = "prometheus"

/**
 * A canary config of Kayenta as ours: the same queries and thresholds, judged by Kayenta's judge, and nothing is
 * done yet. Nothing is left out silently. Throws when it is no canary config, or when no metric is left.
 */
export function importKayenta(body: string, prometheusUrl: string | undefined): Imported {
  const config = readCanaryConfig(body)
  const report: ReportLine[] = []
  const tell = (kind: ReportLine["kind"], what: string, how: string) => report.push({ kind, what, how })
  const mapped: Mapped[] = []
  for (const metric of config.metrics) {
    const found = mapMetric(
      metric,
      config,
      mapped.map(({ name }) => name),
    )
    if ("problem" in found) tell("dropped", metric.name, found.problem)
    else {
      mapped.push(found)
      report.push(...found.report)
    }
  }
  if (mapped.length === 0)
    throw new Error(
      `none of its ${config.metrics.length} metrics can be asked here:\n${report.map(({ what, how }) => `  ${what}: ${how}`).join("\n")}`,
    )
  if (prometheusUrl === undefined)
    tell(
      "changed",
      "address",
      "the file does not say where Prometheus is: correct metrics.sources, or give --prometheus",
    )
  const judgeName = config.judge?.name ?? "none"
  if (judgeName === "NetflixACAJudge-v1.0") tell("mapped", "judge", "NetflixACAJudge-v1.0 is judge: kayenta")
  else
    tell("changed", "judge", `${judgeName} is not known here; NetflixACAJudge-v1.0 judges, as judge: kayenta`)
  const limits = thresholds(config, tell)
  const groups = weights(config, mapped, tell)
  tell(
    "changed",
    "looks",
    "judged at every 50th point of 5 s over everything since the start; how long is compare.for",
  )
  tell("changed", "actions", "autonomy is dry-run: verdicts are written down and nothing is done")
  return {
    yaml: {
      metrics: {
        http: false,
        sources: { [source]: { type: "prometheus", url: prometheusUrl ?? "http://127.0.0.1:9090" } },
        list: Object.fromEntries(mapped.map(({ name, metric }) => [name, metric])),
      },
      judge: {
        type: "kayenta",
        ...limits,
        ...(Object.keys(groups).length > 0 ? { groups } : {}),
        metrics: Object.fromEntries(mapped.map(({ name, judge }) => [name, judge])),
      },
      autonomy: { default: "dry-run" },
    },
    report,
  }
}

function mapMetric(
  metric: CanaryMetric,
  config: CanaryConfig,
  taken: readonly string[],
): Mapped | { readonly problem: string } {
  const { type } = metric.query
  if (type !== "prometheus")
    return {
      problem: `its query is for ${type}, which is no source here; push it, or ask it with a json source`,
    }
  const found = promqlOf(metric, config.templates ?? {})
  if ("problem" in found) return found
  const name = nameFor(metric.name, taken)
  const analysis = metric.analysisConfigurations?.canary ?? {}
  const { judge, odd } = thresholdsOf(analysis)
  const groups = metric.groups?.length ? metric.groups : ["all"]
  const changes = [
    ...(metric.groups?.length ? [] : ["it had no group; it is in the group all"]),
    ...found.changes,
    ...odd,
    ...(metric.scopeName !== undefined && metric.scopeName !== "default"
      ? [`its scope ${metric.scopeName} is the cohort, as every other's`]
      : []),
  ]
  return {
    name,
    metric: {
      source,
      query: found.query,
      kind: "gauge",
      worse: analysis.direction === "decrease" ? "down" : "up",
      critical: analysis.critical ?? false,
      tolerate: toleratedBy(analysis),
    },
    judge: { groups, ...judge },
    groups,
    report: [
      {
        kind: "mapped",
        what: metric.name,
        how: `metrics.list.${name}, with its thresholds in judge.metrics.${name}`,
      },
      ...changes.map((how): ReportLine => ({ kind: "changed", what: metric.name, how })),
    ],
  }
}

/** Everything that Kayenta's judge goes by, written out: its defaults are not ours. */
function thresholdsOf(analysis: CanaryAnalysis): { readonly judge: object; readonly odd: readonly string[] } {
  const odd: string[] = []
  const known = ["increase", "decrease", "either"]
  const direction = analysis.direction ?? "either"
  if (!known.includes(direction))
    odd.push(`its direction ${direction} is unknown; either, as Kayenta takes it`)
  const { nanStrategy = "remove", outliers, effectSize } = analysis
  if (!["remove", "replace"].includes(nanStrategy))
    odd.push(`its nanStrategy ${nanStrategy} is unknown; remove, as Kayenta takes it`)
  if (nanStrategy === "replace")
    odd.push(
      "missing points are zeros to Kayenta's judge, but a metric that cannot be seen at all is nodata here, never a pass",
    )
  if (analysis.mustHaveData === true)
    odd.push("without data it counts as failed in the score, and its own verdict is nodata, not worse")
  const effect = effectSize?.effectSize ?? effectSize?.measure ?? "meanRatio"
  const neutral = effect === "cles" ? 0.5 : 1
  return {
    odd,
    judge: {
      direction: known.includes(direction) ? direction : "either",
      ...(nanStrategy === "replace" ? { nan: "replace" } : {}),
      ...(analysis.mustHaveData === true ? { mustHaveData: true } : {}),
      ...(outliers?.strategy === "remove" ? { outliers: outliers.outlierFactor ?? 3 } : {}),
      ...(effect === "cles" ? { effect } : {}),
      allowedIncrease: effectSize?.allowedIncrease ?? neutral,
      allowedDecrease: effectSize?.allowedDecrease ?? neutral,
      ...(effectSize?.criticalIncrease === undefined
        ? {}
        : { criticalIncrease: effectSize.criticalIncrease }),
      ...(effectSize?.criticalDecrease === undefined
        ? {}
        : { criticalDecrease: effectSize.criticalDecrease }),
      ...(analysis.muted === true ? { muted: true } : {}),
    },
  }
}

/** For our own judge, should it take over one day. */
function toleratedBy({ direction, effectSize }: CanaryAnalysis): string {
  const decrease = effectSize?.allowedDecrease
  const ratio =
    direction === "decrease"
      ? decrease === undefined || decrease <= 0
        ? 1
        : 1 / decrease
      : (effectSize?.allowedIncrease ?? 1)
  return `${Number((Math.max(0, ratio - 1) * 100).toFixed(2))}%`
}

type Tell = (kind: ReportLine["kind"], what: string, how: string) => void

function thresholds(
  { classifier }: CanaryConfig,
  tell: Tell,
): { readonly pass: number; readonly marginal: number } {
  const given = classifier?.scoreThresholds
  if (given) {
    tell("mapped", "scoreThresholds", `pass at ${given.pass}, marginal from ${given.marginal}`)
    return { pass: given.pass, marginal: given.marginal }
  }
  tell("changed", "scoreThresholds", "the file has none; 95 and 75 are those of Kayenta's examples")
  return { pass: 95, marginal: 75 }
}

/** Weights of groups that have metrics left, of 100 again where others fell out. */
function weights(
  { classifier }: CanaryConfig,
  mapped: readonly Mapped[],
  tell: Tell,
): Readonly<Record<string, number>> {
  const given = Object.entries(classifier?.groupWeights ?? {})
  const used = new Set(mapped.flatMap(({ groups }) => groups))
  const left = given.filter(([group]) => used.has(group))
  for (const [group, weight] of given)
    if (!used.has(group))
      tell("dropped", `group ${group}`, `none of its metrics is left, and its weight of ${weight} is lost`)
  const sum = left.reduce((total, [, weight]) => total + weight, 0)
  const free = [...used].some((group) => !left.some(([name]) => name === group))
  if (left.length === 0) return {}
  if (sum === 100 || (free && sum < 100)) {
    tell("mapped", "groupWeights", left.map(([group, weight]) => `${group} ${weight}`).join(", "))
    return Object.fromEntries(left)
  }
  const scaled = left.map(([group, weight]): [string, number] => [
    group,
    Math.round((weight * 10_000) / sum) / 100,
  ])
  tell(
    "changed",
    "groupWeights",
    `${sum} in all is not 100; in proportion: ${scaled.map((one) => one.join(" ")).join(", ")}`,
  )
  // The last one takes what is left of 100: rounded weights seldom add up, and a full score must be in reach.
  return Object.fromEntries(scaled.slice(0, -1))
}

/** `CPU usage (%)` → `cpu_usage`. */
function nameFor(given: string, taken: readonly string[]): string {
  const plain = given
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "_")
    .replaceAll(/^[^a-z]+|_+$/g, "")
    .slice(0, 50)
  const name = plain === "" ? "metric" : plain
  const free = (n: number): string => {
    const tried = n === 1 ? name : `${name}_${n}`
    return taken.includes(tried) ? free(n + 1) : tried
  }
  return free(1)
}
