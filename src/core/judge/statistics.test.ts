import { describe, expect, it } from "vitest"
import type { Histogram } from "../model/measurement.ts"
import type { Dispersion } from "./dispersion.ts"
import { phiOf, scatterOf, usualDispersion, withSplit } from "./dispersion.ts"
import { differenceOf, poissonInterval, wilson } from "./display-interval.ts"
import { binomial, chanceFrom } from "./fixtures.ts"
import {
  bucketAtOrAbove,
  bucketAtOrBelow,
  countAbove,
  mergeHistograms,
  tailsOf,
  totalOf,
  upperEdge,
} from "./histogram.ts"
import { roomIn } from "./packed-counts.ts"
import {
  addHistogram,
  countBeyond,
  countIn,
  nothingSpread,
  quantileBucket,
  quantileBuckets,
} from "./spread.ts"
import { grouped, percent, short } from "./words.ts"

describe("overdispersion", () => {
  /** What is learned from 100 requests a side in each interval. */
  const seen = (intervals: number, next: (i: number) => readonly [canary: number, control: number]) =>
    Array.from({ length: intervals }, (_, i) => next(i)).reduce(
      (past, [k1, k0]) => withSplit(past, { n1: 100, k1, n0: 100, k0 }, "requests"),
      usualDispersion,
    )
  const phi = (past: Dispersion) => phiOf(past, { n1: 100, k1: 1, n0: 100, k0: 1 })

  it("is about 1 for independent outcomes, and the size of the clusters for clustered ones", () => {
    const chance = chanceFrom(7)
    const alone = () => binomial(chance, 100, 0.1)
    const clusters = () => 5 * binomial(chance, 20, 0.1)
    expect(phi(seen(600, () => [alone(), alone()]))).toBeLessThan(1.25)
    const clustered = phi(seen(600, () => [clusters(), clusters()]))
    expect(clustered).toBeGreaterThan(4)
    expect(clustered).toBeLessThan(6)
  })

  it("is about 1 as well for independent events of which a second has many", () => {
    const chance = chanceFrom(9)
    const events = () => binomial(chance, 4000, 0.1)
    const past = Array.from({ length: 600 }, () => ({ n1: 10, k1: events(), n0: 10, k0: events() })).reduce(
      (past, tally) => withSplit(past, tally, "exposure"),
      usualDispersion,
    )
    expect(scatterOf(past)).toBeLessThan(1.25)
  })

  it("is not raised by what both sides share: an outage, a drift, a canary that always fails more", () => {
    const chance = chanceFrom(8)
    const of = (rate: number) => binomial(chance, 100, rate)
    const outage = (i: number) => (i % 60 < 20 ? 0.4 : 0.02)
    expect(phi(seen(600, (i) => [of(outage(i)), of(outage(i))]))).toBeLessThan(1.3)
    expect(phi(seen(600, (i) => [of(0.05 + i / 3000), of(0.05 + i / 3000)]))).toBeLessThan(1.3)
    expect(phi(seen(600, () => [of(0.2), of(0.02)]))).toBeLessThan(1.3)
  })

  it("grows with the events of an interval, as two correct cohorts drift apart", () => {
    const quiet = phiOf(usualDispersion, { n1: 1000, k1: 10, n0: 1000, k0: 10 })
    const busy = phiOf(usualDispersion, { n1: 1e6, k1: 20_000, n0: 1e6, k0: 20_000 })
    expect(quiet).toBe(1)
    expect(busy).toBeGreaterThan(1.5)
  })

  it("stays 1 where nothing happens, and is never below it, however evenly events split", () => {
    expect(phi(seen(100, () => [0, 0]))).toBe(1)
    const even = seen(100, () => [10, 10])
    expect((even[4] ?? 0) / (even[5] ?? 0)).toBeLessThan(0.5)
    expect(phi(even)).toBe(1)
    expect(scatterOf(even)).toBe(1)
  })
})

const spreadOf = (histogram: Histogram) => addHistogram(nothingSpread, histogram)

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
    const more = addHistogram(spreadOf(merged), [[3, 2]])
    expect([2, 3, 4, 5, 6, 7, 8, 9, 10].map((bucket) => countIn(more, bucket))).toEqual([
      1, 2, 0, 1, 0, 0, 0, 3, 0,
    ])
    expect(more.total).toBe(7)
    const spread = spreadOf(merged)
    expect(countBeyond(spread, 5)).toBe(3)
    expect(countBeyond(spread, -50)).toBe(5)
    expect(countBeyond(spread, 9)).toBe(0)
    expect(countIn(spread, 9)).toBe(3)
    expect(quantileBucket(spread, 0.4)).toBe(5)
    expect(quantileBucket(spread, 0.99)).toBe(9)
    expect(quantileBucket(nothingSpread, 0.5)).toBeUndefined()
    expect(quantileBuckets(spread, [0, 0.2, 0.4, 0.99, 1])).toEqual([2, 2, 5, 9, 9])
    expect([-50, 2, 4, 5, 9, 10].map((bound) => countAbove(tailsOf(merged), bound))).toEqual([
      5, 4, 4, 3, 0, 0,
    ])
    expect(totalOf(tailsOf(merged))).toBe(5)
  })

  it("hold what no clock could have measured at their edges, so that it costs no memory", () => {
    const spread = spreadOf([
      [-1e9, 1],
      [0, 2],
      [1e9, 3],
    ])
    expect(roomIn(spread.counts)).toBeLessThan(1500)
    expect(spread.total).toBe(6)
    expect(countBeyond(spread, 0)).toBe(3)
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
    expect(wilson({ n: 100, k: 0 }).high).toBeLessThan(0.15)
    const difference = differenceOf(wilson({ n: 240, k: 24 }), wilson({ n: 480, k: 0 }))
    expect(difference.estimate).toBeCloseTo(0.1)
    expect(difference.low).toBeGreaterThan(0.02)
    expect(difference.high).toBeLessThan(0.2)
    expect(poissonInterval({ n: 60, k: 0 }).low).toBe(0)
  })

  it("keep the true difference at every look, not only at the last", () => {
    let lost = 0
    for (let seed = 1; seed <= 300; seed++) {
      const chance = chanceFrom(seed)
      let [canary, control] = [0, 0]
      for (let n = 50; n <= 5000; n += 50) {
        canary += binomial(chance, 50, 0.08)
        control += binomial(chance, 50, 0.03)
        const { low, high } = differenceOf(wilson({ n, k: canary }), wilson({ n, k: control }))
        if (low <= 0.05 && 0.05 <= high) continue
        lost++
        break
      }
    }
    // 1 % and what chance adds to 300 tries; at a fixed 99 % it would be about 10 %.
    expect(lost).toBeLessThanOrEqual(8)
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
