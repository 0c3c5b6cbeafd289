import { parseArgs } from "node:util"
import { effectsOf } from "../../src/core/judge/effects.ts"
import { chanceFrom, errors, latency } from "../../src/core/judge/fixtures.ts"
import type { JudgeState } from "../../src/core/judge/judge.ts"
import { observe, startJudge, verdicts } from "../../src/core/judge/judge.ts"
import { riskRatioLogEs } from "../../src/core/judge/risk-ratio.ts"
import type { Measurement, Observation } from "../../src/core/model/measurement.ts"
import type { MetricPolicy } from "../../src/core/model/policy.ts"
import { normal, poisson } from "../judge-power/chance.ts"
import { memoryOf } from "./memory.ts"

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } })

const chance = chanceFrom(1)
const failures = (): Observation => ({ kind: "proportion", total: 1000, bad: poisson(chance, 5) })

/** The same of four instances, told apart. */
function failuresOfInstances(): Observation {
  const each = ["a", "b", "c", "d"].map((id) => ({ id, n: 250, sum: poisson(chance, 1.25), squares: 0 }))
  return {
    kind: "proportion",
    total: 1000,
    bad: each.reduce((sum, one) => sum + one.sum, 0),
    instances: each,
  }
}

function latencies(): Observation {
  const counts = new Map<number, number>()
  for (let i = 0; i < 200; i++) {
    const bucket = Math.floor(32 * Math.log2(100 * Math.exp(0.8 * normal(chance))))
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1)
  }
  return { kind: "histogram", buckets: [...counts].sort(([a], [b]) => a - b) }
}

/** Seconds of a core that this process used so far: others on the machine do not count. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Runs `work` for a second of a core after a warm-up; how often a second it can be done. */
function perSecond(work: (i: number) => void, times: number): number {
  for (let i = 0; i < times / 10; i++) work(i)
  const start = cpuSeconds()
  let done = 0
  do for (let i = 0; i < times / 10; i++) work(done++)
  while (cpuSeconds() - start < 1)
  return Math.round(done / (cpuSeconds() - start))
}

/** Whole intervals through the judge: evidence, praise, noise, both sides. */
function intervals(metric: MetricPolicy, make: () => Observation, times: number): number {
  const made = Array.from({ length: 256 }, () => [make(), make()] as const)
  let state = startJudge([metric])
  return perSecond((i) => {
    const [canary, control] = made[i % made.length] ?? []
    const measurement: Measurement = {
      metric: metric.name,
      from: i * 1000,
      to: (i + 1) * 1000,
      canary,
      control,
    }
    state = observe(state, measurement)
  }, times)
}

/** Milliseconds of a core in which so many metrics, half of them latencies, are looked at. */
function looked(metrics: number): { readonly ms: number } {
  const judges = Array.from({ length: metrics / 2 }, (): JudgeState => {
    const first = { from: 0, to: 1000, canary: failures(), control: failures() }
    const slow = { ...first, canary: latencies(), control: latencies() }
    return observe(observe(startJudge([errors, latency]), { metric: "errors", ...first }), {
      metric: latency.name,
      ...slow,
    })
  })
  const look = () => judges.forEach((judge) => void verdicts(judge))
  look()
  const start = cpuSeconds()
  look()
  return { ms: Math.round(1000 * (cpuSeconds() - start)) }
}

const tallies = Array.from({ length: 256 }, () => ({
  n1: 1000,
  k1: poisson(chance, 5),
  n0: 9000,
  k0: poisson(chance, 45),
}))
const oneGuess = effectsOf([2])
let sink = 0
const result = {
  proportionUpdatesPerSecond: perSecond((i) => {
    const tally = tallies[i % tallies.length]
    if (tally) sink += riskRatioLogEs(tally, { r: 1.2, d: 0.001 }, oneGuess, 1)[0] ?? Number.NaN
  }, 1_000_000),
  proportionIntervalsPerSecond: intervals(errors, failures, 100_000),
  latencyIntervalsPerSecond: intervals(latency, latencies, 10_000),
  proportionIntervalsToldApartPerSecond: intervals(errors, failuresOfInstances, 10_000),
  lookAt10000Metrics: looked(10_000),
  bytesPerMetric: { errors: memoryOf(errors, failures), latency: memoryOf(latency, latencies) },
}
if (!Number.isFinite(sink)) throw new Error("the evidence is no number")
process.stderr.write(`${JSON.stringify(result, null, 1)}\n`)
if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
