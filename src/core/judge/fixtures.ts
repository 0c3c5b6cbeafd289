// What the tests of this folder share: policies, measurements, and a small seeded generator.
import type { Measurement, Observation } from "../model/measurement.ts"
import type { MetricPolicy } from "../model/policy.ts"
import type { Verdict } from "../model/verdict.ts"
import type { JudgeOptions, JudgeState } from "./judge.ts"
import { observe, startJudge, verdicts } from "./judge.ts"

export const errors: MetricPolicy = {
  name: "errors",
  source: { type: "router" },
  kind: "error-proportion",
  worse: "up",
  critical: true,
  tolerateRatio: 0.1,
  tolerateDelta: 0.002,
}

export const latency: MetricPolicy = {
  name: "latency_p95",
  source: { type: "router" },
  kind: "latency-quantile",
  worse: "up",
  critical: true,
  tolerateRatio: 0.1,
  tolerateDelta: 0,
  quantile: 0.95,
}

export const crashes: MetricPolicy = {
  name: "crashes",
  source: { type: "agent" },
  kind: "events",
  worse: "up",
  critical: false,
  tolerateRatio: 0,
  tolerateDelta: 0,
}

export const memory: MetricPolicy = {
  name: "memory",
  source: { type: "prometheus", url: "http://127.0.0.1:9090", query: "rss" },
  kind: "gauge",
  worse: "up",
  critical: false,
  tolerateRatio: 0,
  tolerateDelta: 0,
}

export const requests = (total: number, bad: number): Observation => ({ kind: "proportion", total, bad })
export const crashed = (events: number, exposure: number): Observation => ({
  kind: "events",
  events,
  exposure,
})
export const levels = (...values: number[]): Observation => ({ kind: "gauge", values })

export function latencies(values: readonly number[]): Observation {
  const counts = new Map<number, number>()
  for (const ms of values) {
    const bucket = Math.ceil(32 * Math.log2(ms)) - 1
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1)
  }
  return { kind: "histogram", buckets: [...counts].sort(([a], [b]) => a - b) }
}

/** The interval of second `i`. */
export function second(
  i: number,
  metric: MetricPolicy,
  canary: Observation | undefined,
  control: Observation | undefined,
  blind?: string,
): Measurement {
  return { metric: metric.name, from: i * 1000, to: (i + 1) * 1000, canary, control, blind }
}

/** Folds `count` seconds, each made by `make`. */
export function watched(
  state: JudgeState,
  count: number,
  make: (i: number) => Measurement | readonly Measurement[],
): JudgeState {
  return Array.from({ length: count }, (_, i) => make(i))
    .flat()
    .reduce(observe, state)
}

export type Chance = () => number

/** mulberry32: the same numbers for the same seed, everywhere. */
export function chanceFrom(seed: number): Chance {
  let a = (seed * 0x9e3779b1) >>> 0
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

export function binomial(chance: Chance, n: number, p: number): number {
  let hits = 0
  for (let i = 0; i < n; i++) if (chance() < p) hits++
  return hits
}

/** A log-normal latency in ms. */
export function logNormal(chance: Chance, median: number, sigma: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance())
  return median * Math.exp(sigma * normal)
}

/** The first metric's verdict. */
export const only = (state: JudgeState): Verdict => {
  const [verdict] = verdicts(state)
  if (!verdict) throw new Error("no verdict")
  return verdict
}

/** The verdict on one metric after `count` equal seconds. */
export function verdictAfter(
  count: number,
  metric: MetricPolicy,
  canary: Observation | undefined,
  control: Observation | undefined,
  options: Partial<JudgeOptions> = {},
): Verdict {
  return only(watched(startJudge([metric], options), count, (i) => second(i, metric, canary, control)))
}
