import { type Classified, type Classifier, classify } from "./classify.ts"
import { outsideFences, unmarked } from "./outliers.ts"
import { type Score, score } from "./score.ts"
import { type SeriesSummary, summarise, withoutNaN } from "./series.ts"

/** How one metric is judged, in Kayenta's words. */
export type KayentaMetric = Omit<Classifier, "tolerance" | "confidence"> & {
  readonly name: string
  readonly groups: readonly string[]
  /** Points beyond Tukey's fences at this factor are left out; undefined keeps all. */
  readonly outlierFactor?: number | undefined
  /** Judged and shown, not scored. */
  readonly muted?: boolean | undefined
}

/** Points of both sides over the whole window; NaN where a point is missing. */
export type SeriesPair = { readonly canary: readonly number[]; readonly control: readonly number[] }

export type JudgedMetric = Classified & {
  readonly name: string
  readonly canary: SeriesSummary
  readonly control: SeriesSummary
}

export type Judged = { readonly metrics: readonly JudgedMetric[]; readonly score: Score }

/** The figures that are fixed in Kayenta's code. */
const fixed = { tolerance: 0.25, confidence: 0.98 }

/** Kayenta's judgement (NetflixACAJudge-v1.0) over one window, all metrics together. */
export function judgeSeries(
  metrics: readonly KayentaMetric[],
  series: (name: string) => SeriesPair,
  groupWeights: Readonly<Record<string, number>> = {},
): Judged {
  const judged = metrics.map((metric): JudgedMetric => {
    const given = series(metric.name)
    const [canary, control] = paddedAlike(given).map((values) => cleaned(values, metric))
    return {
      name: metric.name,
      canary: summarise(canary ?? []),
      control: summarise(control ?? []),
      ...classify(canary ?? [], control ?? [], { ...metric, ...fixed }),
    }
  })
  const scored = metrics.flatMap((metric, i) => {
    const found = judged[i]
    return metric.muted || !found ? [] : [{ ...found, groups: metric.groups }]
  })
  return { metrics: judged, score: score(scored, groupWeights) }
}

/** The shorter side is filled up with NaN: with `replace` a missing point is a zero. Empty sides stay empty. */
function paddedAlike({ canary, control }: SeriesPair): readonly (readonly number[])[] {
  const length = Math.max(canary.length, control.length)
  return [canary, control].map((values) => [
    ...values,
    ...new Array<number>(length - values.length).fill(Number.NaN),
  ])
}

function cleaned(values: readonly number[], metric: KayentaMetric): readonly number[] {
  const numbers = withoutNaN(values, metric.nanStrategy)
  if (metric.outlierFactor === undefined) return numbers
  return unmarked(numbers, outsideFences(numbers, metric.outlierFactor, true))
}
