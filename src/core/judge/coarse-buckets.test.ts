import { describe, expect, it } from "vitest"
import type { Histogram } from "../model/measurement.ts"
import type { MetricPolicy } from "../model/policy.ts"
import type { Verdict } from "../model/verdict.ts"
import { edgeFor, growthWhenSlower, inWideBuckets } from "./coarse-buckets.ts"
import { chanceFrom, latency, only } from "./fixtures.ts"
import { bucketAtOrAbove } from "./histogram.ts"
import { observe, startJudge } from "./judge.ts"
import { addHistogram, nothingSpread, quantileBucket } from "./spread.ts"

/** The usual bounds of a Prometheus client, in ms. */
const bounds = [5, 10, 25, 50, 100, 250, 500, 1000, 2500]
const edges = bounds.map(bucketAtOrAbove)
const beyond = (edges.at(-1) ?? 0) + 32

/** Log-logistic latencies, whose tails have a closed form: the share that takes longer. */
const longer = (ms: number, median: number, shape: number): number => 1 / (1 + (ms / median) ** shape)

/** Two sorts of requests, quick ones and slow ones, when all take `slower` times as long. */
const mixed = (ms: number, slower: number): number =>
  0.7 * longer(ms / slower, 14, 3.2) + 0.3 * longer(ms / slower, 60, 2.6)

function histogramOf(tail: (ms: number) => number, requests: number, round = Math.round): Histogram {
  const ends = [...edges, beyond]
  return ends.map((end, i) => {
    const from = i === 0 ? 1 : tail(bounds[i - 1] ?? 0)
    const to = i < bounds.length ? tail(bounds[i] ?? 0) : 0
    return [end, round(requests * (from - to))]
  })
}

/** The verdicts of twenty minutes on a canary that is this much slower, a third of its control in size. */
function verdictsOn(
  policy: MetricPolicy,
  tail: (ms: number, slower: number) => number,
  slower: number,
  seed: number,
): readonly Verdict[] {
  const chance = chanceFrom(seed)
  // Whole numbers that are right on average, and a little more uneven than that.
  const drawn = (mean: number) =>
    Math.max(0, Math.floor(mean + Math.sqrt(mean) * (3.4641 * chance() - 1.7321) + chance()))
  const seen = (times: number, requests: number) => ({
    kind: "histogram" as const,
    buckets: histogramOf((ms) => tail(ms, times), requests, drawn).filter(([, count]) => count > 0),
    edges,
  })
  let state = startJudge([policy], { alpha: 0.01 })
  return Array.from({ length: 120 }, (_, i) => {
    state = observe(state, {
      metric: policy.name,
      from: i * 10_000,
      to: (i + 1) * 10_000,
      canary: seen(slower, 300),
      control: seen(1, 900),
    })
    return only(state)
  })
}

describe("wide buckets", () => {
  const past = addHistogram(
    nothingSpread,
    histogramOf((ms) => mixed(ms, 1), 1_000_000),
  )
  const wide = inWideBuckets(past, edges)

  it("tell within a quarter how many requests cross an edge when all are a twentieth slower", () => {
    for (const [i, ms] of bounds.slice(0, 6).entries()) {
      const crossing = growthWhenSlower(wide, edges[i] ?? 0, 1.05) - 1
      const truly = mixed(ms, 1.05) / mixed(ms, 1) - 1
      expect(crossing / truly).toBeGreaterThan(0.75)
      expect(crossing / truly).toBeLessThan(1.25)
    }
  })

  it("tell exactly how many cross where everything before an edge comes from the edge before", () => {
    const slower = 2 ** (((edges[3] ?? 0) - (edges[2] ?? 0)) / 32)
    expect(growthWhenSlower(wide, edges[3] ?? 0, slower)).toBeCloseTo(mixed(25, 1) / mixed(50, 1), 3)
  })

  it("expect no request to cross when nothing is slower", () => {
    expect(growthWhenSlower(wide, edges[2] ?? 0, 1)).toBe(1)
  })

  it("tell a median at the nearest edge and a tail at the edge after it", () => {
    const nearlyTen = addHistogram(
      nothingSpread,
      histogramOf((ms) => longer(ms, 10.8, 3), 10_000),
    )
    const seen = inWideBuckets(nearlyTen, edges)
    const at = (level: number) => edgeFor(seen, level, quantileBucket(nearlyTen, level) ?? 0)
    expect(at(0.5)).toBe(edges[1])
    expect(at(0.95)).toBe(quantileBucket(nearlyTen, 0.95))
  })

  it("accuse hardly anyone who is as much slower as is tolerated, and find who is twice as much", () => {
    const accused = (slower: number, seed: number) =>
      verdictsOn({ ...latency, tolerateRatio: 0.05 }, mixed, slower, seed).at(-1)?.kind === "worse"
    const seeds = Array.from({ length: 20 }, (_, i) => i + 1)
    expect(seeds.filter((seed) => accused(1.05, seed)).length).toBeLessThanOrEqual(1)
    expect(seeds.filter((seed) => accused(1.1, seed)).length).toBeGreaterThanOrEqual(17)
  })

  it.each([
    [8, 4],
    [10.8, 4],
    [13, 3],
    [13, 4],
    [14, 6],
    [15, 3],
    [15, 4],
    [17, 4],
    [20, 3],
    [24, 4],
  ])(
    "call a canary ok whose median of %d ms is its control's (shape %d), and none that is a quarter slower or more",
    (median, shape) => {
      const policy = { ...latency, tolerateRatio: 0.25, quantile: 0.5 }
      const tail = (ms: number, slower: number) => longer(ms / slower, median, shape)
      const kinds = (slower: number) => verdictsOn(policy, tail, slower, 7).map(({ kind }) => kind)
      expect(kinds(1).slice(9)).toEqual(Array(111).fill("ok"))
      expect(kinds(1.25)).not.toContain("ok")
      expect(kinds(1.4)).not.toContain("ok")
    },
  )

  it("say what is worse at the edge where it was found, also when that lies before the median", () => {
    const quickOnesSlower = (ms: number, slower: number) => longer(ms < 20 ? ms / slower : ms, 13, 4)
    const verdict = verdictsOn(latency, quickOnesSlower, 1.6, 7).at(-1)
    expect(verdict?.kind).toBe("worse")
    expect(verdict?.because).toMatch(/95(\.\d)? % took longer than 10\.2 ms, in the control 74(\.\d)? %/)
  })
})
