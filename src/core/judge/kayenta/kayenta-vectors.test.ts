import { describe, expect, it } from "vitest"
import { type Classifier, classify, classifyByMeans, type Direction, noEffectAsked } from "./classify.ts"
import { type EffectMeasure, effectSize } from "./effect-size.ts"
import { mannWhitneyShift, standardised } from "./mann-whitney.ts"
import { normalQuantile } from "./normal-quantile.ts"
import { beyondSigmas, outsideFences, unmarked } from "./outliers.ts"
import { gradeOf, passedAtLast, type Scored, score } from "./score.ts"
import { type NanStrategy, percentile, summarise, withoutNaN } from "./series.ts"
import golden from "./vectors/kayenta-vectors.json" with { type: "json" }

type Vector = (typeof golden.vectors)[number]

const numbers = (value: unknown): readonly number[] => (Array.isArray(value) ? value.map(Number) : [])
const of = (kind: string): readonly Vector[] => golden.vectors.filter((vector) => vector.kind === kind)
const close = (found: number, wanted: unknown, tolerance: unknown = 1e-9): void => {
  if (wanted === "NaN") return expect(found).toBeNaN()
  expect(Math.abs(found - Number(wanted)), `${found} against ${wanted}`).toBeLessThanOrEqual(
    Number(tolerance),
  )
}

describe("the public vectors of Kayenta", () => {
  it("are all of a kind that is tested here", () => {
    expect(golden.vectors.length).toBe(56)
    expect([...new Set(golden.vectors.map(({ kind }) => kind))].sort()).toEqual(
      "aggregate classify effectSize mannWhitneyCI outlier percentileR7 score summary transform wilcoxonDiff zquant".split(
        " ",
      ),
    )
  })

  for (const vector of of("classify")) {
    it(`classify: ${vector.name}`, () => {
      const nanStrategy = vector.nanStrategy as NanStrategy
      const [canary, control] = [vector.experiment, vector.control].map((side) =>
        withoutNaN(numbers(side), nanStrategy),
      ) as [readonly number[], readonly number[]]
      if (vector.classifier === "meanInequality") {
        return expect(classifyByMeans(canary, control)).toBe(vector.expected.classification)
      }
      const how: Classifier = {
        direction: vector.direction as Direction,
        nanStrategy,
        critical: vector.critical === true,
        mustHaveData: vector.mustHaveData === true,
        tolerance: Number(vector.tolerance),
        confidence: Number(vector.confLevel),
        effect: {
          ...noEffectAsked("meanRatio"),
          measure: vector.effectSizeMeasure as EffectMeasure,
          allowedDecrease: Number(vector.allowedDecrease),
          allowedIncrease: Number(vector.allowedIncrease),
          criticalDecrease: Number(vector.criticalDecrease),
          criticalIncrease: Number(vector.criticalIncrease),
        },
      }
      const found = classify(canary, control, how)
      const wanted = vector.expected as { classification: string; critical?: boolean; deviation?: unknown }
      expect(found.label).toBe(wanted.classification)
      if (wanted.critical !== undefined) expect(found.critical).toBe(wanted.critical)
      if (wanted.deviation !== undefined) close(found.deviation, wanted.deviation)
    })
  }

  for (const vector of of("mannWhitneyCI")) {
    it(`interval: ${vector.name}`, () => {
      const wanted = vector.expected as Record<string, unknown>
      // In these vectors x is the experiment.
      const found = mannWhitneyShift(numbers(vector.x), numbers(vector.y), Number(vector.confidenceLevel))
      close(found.lower, wanted.lower, wanted.tolCI)
      close(found.upper, wanted.upper, wanted.tolCI)
      close(found.estimate, wanted.estimate, wanted.tolEstimate)
    })
  }

  for (const vector of of("score")) {
    it(`score: ${vector.name}`, () => {
      const wanted = vector.expected as { summaryScore: number; groupScores?: readonly number[] }
      const found = score(
        (vector.metrics ?? []).map(({ classification, ...metric }) => ({
          ...metric,
          label: classification as Scored["label"],
        })),
        vector.groupWeights as Record<string, number>,
      )
      close(found.total, wanted.summaryScore)
      if (wanted.groupScores) expect(found.groups.map((group) => group.score)).toEqual(wanted.groupScores)
    })
  }

  for (const vector of of("outlier")) {
    it(`outliers: ${vector.name}`, () => {
      const values = numbers(vector.data)
      const factor = Number(vector.factor)
      const found =
        vector.detector === "iqr"
          ? outsideFences(values, factor, vector.reduceSensitivity === true)
          : beyondSigmas(values, factor)
      expect(found).toEqual(vector.expected.outlier)
    })
  }

  for (const vector of of("transform")) {
    it(`transform: ${vector.name}`, () => {
      const values = numbers(vector.data)
      const operations: Record<string, () => readonly number[]> = {
        replaceNaN0: () => withoutNaN(values, "replace"),
        removeNaN: () => withoutNaN(values, "remove"),
        "removeOutliersIQR1.5": () => unmarked(values, outsideFences(values, 1.5, false)),
      }
      expect(operations[String(vector.op)]?.()).toEqual(vector.expected.values)
    })
  }

  it("summary, percentiles, effect sizes, quantile and rank statistic agree", () => {
    for (const { data, expected } of of("summary")) expect(summarise(numbers(data))).toEqual(expected)
    for (const { data, p, expected } of of("percentileR7"))
      close(percentile(numbers(data), Number(p)), expected.value, expected.tol)
    for (const { measure, control, experiment, expected } of of("effectSize"))
      close(
        effectSize(measure as EffectMeasure, numbers(experiment), numbers(control)),
        expected.value,
        expected.tol,
      )
    for (const { alpha, expected } of of("zquant"))
      close(normalQuantile(Number(alpha) / 2), expected.value, expected.tol)
    for (const { x, y, mu, quantile, expected } of of("wilcoxonDiff"))
      close(standardised(numbers(x), numbers(y), Number(mu), Number(quantile)), expected.value, expected.tol)
  })

  it("the last word of repeated judgements agrees", () => {
    for (const { finalScore, marginal, pass, expected } of of("aggregate"))
      expect(
        passedAtLast(Number(finalScore), Number(marginal), pass === null ? undefined : Number(pass)),
      ).toBe(expected.didPass)
    expect([95, 94.9, 75, 74.9].map((total) => gradeOf(total, { pass: 95, marginal: 75 }))).toEqual([
      "Pass",
      "Marginal",
      "Marginal",
      "Fail",
    ])
  })
})
