import { describe, expect, it } from "vitest"
import { addControl, noDispersion, phiOf } from "./dispersion.ts"
import { differenceOf, poissonInterval, wilson } from "./display-interval.ts"
import { binomial, chanceFrom } from "./fixtures.ts"
import {
  bucketAtOrAbove,
  bucketAtOrBelow,
  countAbove,
  mergeHistograms,
  quantileBucket,
  upperEdge,
} from "./histogram.ts"
import { grouped, percent, short } from "./words.ts"

describe("overdispersion", () => {
  const seen = (intervals: number, next: (i: number) => number) =>
    Array.from({ length: intervals }, (_, i) => next(i)).reduce(
      (past, k) => addControl(past, { n: 100, k }),
      noDispersion,
    )

  it("is 1 until twenty intervals and five events were seen", () => {
    expect(
      phiOf(
        seen(20, (i) => (i % 2) * 40),
        "trials",
      ),
    ).toBe(1)
    expect(
      phiOf(
        seen(21, (i) => (i % 2) * 40),
        "trials",
      ),
    ).toBeGreaterThan(5)
    expect(
      phiOf(
        seen(100, () => 0),
        "trials",
      ),
    ).toBe(1)
  })

  it("is about 1 for independent outcomes, and the size of the clusters for clustered ones", () => {
    const chance = chanceFrom(7)
    const alone = phiOf(
      seen(600, () => binomial(chance, 100, 0.1)),
      "trials",
    )
    const clustered = phiOf(
      seen(600, () => 5 * binomial(chance, 20, 0.1)),
      "trials",
    )
    expect(alone).toBeLessThan(1.25)
    expect(clustered).toBeGreaterThan(4)
    expect(clustered).toBeLessThan(6)
  })

  it("is not raised by a slow drift of the baseline", () => {
    const chance = chanceFrom(8)
    expect(
      phiOf(
        seen(600, (i) => binomial(chance, 100, 0.05 + i / 3000)),
        "trials",
      ),
    ).toBeLessThan(1.3)
  })
})

describe("histograms", () => {
  it("merge, count and find quantiles", () => {
    const merged = mergeHistograms(
      [
        [5, 1],
        [9, 2],
      ],
      [
        [2, 1],
        [9, 1],
      ],
    )
    expect(merged).toEqual([
      [2, 1],
      [5, 1],
      [9, 3],
    ])
    expect(countAbove(merged, 5)).toBe(3)
    expect(quantileBucket(merged, 0.4)).toBe(5)
    expect(quantileBucket(merged, 0.99)).toBe(9)
    expect(quantileBucket([], 0.5)).toBeUndefined()
  })

  it("an edge is its own bucket in both directions", () => {
    for (const bucket of [-100, 0, 31, 213, 400]) {
      expect(bucketAtOrAbove(upperEdge(bucket)) + 0).toBe(bucket)
      expect(bucketAtOrBelow(upperEdge(bucket)) + 0).toBe(bucket)
      expect(bucketAtOrAbove(upperEdge(bucket) * 1.001)).toBe(bucket + 1)
      expect(bucketAtOrBelow(upperEdge(bucket) * 0.999)).toBe(bucket - 1)
    }
  })
})

describe("intervals for people", () => {
  it("hold the estimate and stay within bounds", () => {
    expect(wilson({ n: 100, k: 0 }).low).toBe(0)
    expect(wilson({ n: 100, k: 0 }).high).toBeCloseTo(0.0622, 3)
    const difference = differenceOf(wilson({ n: 240, k: 24 }), wilson({ n: 480, k: 0 }))
    expect(difference.estimate).toBeCloseTo(0.1)
    expect(difference.low).toBeGreaterThan(0.04)
    expect(difference.high).toBeLessThan(0.17)
    expect(poissonInterval({ n: 60, k: 0 }).low).toBe(0)
  })
})

it("numbers are written as people read them", () => {
  expect([percent(0.081), percent(0.004), percent(0.0004), percent(1), percent(0)]).toEqual([
    "8.1 %",
    "0.4 %",
    "0.04 %",
    "100 %",
    "0 %",
  ])
  expect([grouped(1204), grouped(1234567), short(0.0042), short(8.13), short(240)]).toEqual([
    "1,204",
    "1,234,567",
    "0.0042",
    "8.13",
    "240",
  ])
})
