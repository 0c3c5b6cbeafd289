import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Measurement, Observation } from "../model/measurement.ts"
import type { MetricPolicy } from "../model/policy.ts"
import {
  crashed,
  crashes,
  errors,
  latencies,
  latency,
  levels,
  memory,
  only,
  requests,
  second,
  watched,
} from "./fixtures.ts"
import type { JudgeState } from "./judge.ts"
import { observe, observeWarmUp, sourceBroken, startJudge, verdicts } from "./judge.ts"

describe("the evidence is a fold", () => {
  const observation: fc.Arbitrary<Observation | undefined> = fc.oneof(
    fc.constant(undefined),
    fc.tuple(fc.nat(80), fc.nat(90)).map(([total, bad]) => requests(total, bad)),
    fc.array(fc.integer({ min: 1, max: 3000 }), { maxLength: 40 }).map(latencies),
    fc.tuple(fc.nat(3), fc.nat(4)).map(([events, exposure]) => crashed(events, exposure)),
    fc
      .array(fc.oneof(fc.double(), fc.integer({ min: 0, max: 500 })), { maxLength: 4 })
      .map((v) => levels(...v)),
  )
  const metrics = [errors, { ...latency, max: 400 }, crashes, { ...memory, max: 256 }]
  const stream: fc.Arbitrary<readonly Measurement[]> = fc
    .array(fc.tuple(fc.constantFrom(...metrics), observation, observation), { maxLength: 60 })
    .map((rows) => rows.map(([metric, canary, control], i) => second(i, metric, canary, control)))
  const options = fc.record({ solo: fc.boolean(), minSamples: fc.nat(100) })

  it("the same measurements give bit-identical verdicts, also through JSON in the middle", () => {
    fc.assert(
      fc.property(stream, options, (measurements, given) => {
        const once = measurements.reduce(observe, startJudge(metrics, given))
        const again = measurements.reduce(observe, startJudge(metrics, given))
        const stored = measurements.reduce<JudgeState>(
          (state, measurement) => JSON.parse(JSON.stringify(observe(state, measurement))),
          startJudge(metrics, given),
        )
        expect(JSON.stringify(verdicts(again))).toBe(JSON.stringify(verdicts(once)))
        expect(JSON.stringify(verdicts(stored))).toBe(JSON.stringify(verdicts(once)))
        expect(sourceBroken(stored)).toBe(sourceBroken(once))
      }),
      { numRuns: 100 },
    )
  })

  it("whatever comes, every number of a verdict is finite and what was never seen is neither ok nor worse", () => {
    fc.assert(
      fc.property(stream, options, (measurements, given) => {
        const state = measurements.reduce(observe, startJudge(metrics, given))
        for (const verdict of verdicts(state)) {
          const { canary, control, difference, limit, logEvidence } = verdict
          const numbers = [
            canary?.value,
            control?.value,
            difference?.low,
            difference?.high,
            limit,
            logEvidence,
          ]
          expect(numbers.every((n) => n === undefined || Number.isFinite(n))).toBe(true)
          expect(verdict.because).not.toMatch(/NaN|undefined|Infinity/)
          if (!canary) expect(["nodata", "unsure"]).toContain(verdict.kind)
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe("the warm-up", () => {
  const half = (i: number, offset: number) => requests(75, (i + offset) % 7 === 0 ? 5 : 0)

  it("teaches how failures cluster, so that a cluster of the canary proves less", () => {
    const minute = (state: JudgeState) =>
      watched(state, 10, (i) => second(60 + i, errors, requests(75, i % 3 === 0 ? 5 : 0), requests(75, 0)))
    const taught = Array.from({ length: 60 }, (_, i) => second(i, errors, half(i, 0), half(i, 3))).reduce(
      observeWarmUp,
      startJudge([errors]),
    )
    expect(only(taught)).toMatchObject({ kind: "nodata" })
    expect(only(minute(taught)).logEvidence).toBeLessThan(only(minute(startJudge([errors]))).logEvidence)
  })

  const warmed = (metric: MetricPolicy, canary: Observation, control: Observation) =>
    only(
      Array.from({ length: 60 }, (_, i) => second(i, metric, canary, control)).reduce(
        observeWarmUp,
        startJudge([metric]),
      ),
    )

  it("forgives what a cold start explains", () => {
    expect(warmed(errors, requests(200, 3), requests(200, 0)).logEvidence).toBeLessThan(1)
    const slow = latencies(new Array<number>(50).fill(250))
    const usual = latencies(new Array<number>(50).fill(100))
    expect(warmed(latency, slow, usual).logEvidence).toBeLessThan(1)
  })

  it("does not wait with what no cold start explains", () => {
    expect(warmed(errors, requests(75, 30), requests(75, 0))).toMatchObject({
      kind: "worse",
      because: expect.stringContaining("40 % of 4,500 requests failed"),
    })
    const dead = latencies(new Array<number>(50).fill(3000))
    const usual = latencies(Array.from({ length: 50 }, (_, i) => 60 + i * 3))
    expect(warmed(latency, dead, usual).kind).toBe("worse")
  })

  it("is not what numbers and sentences speak of once judging began", () => {
    const cold = Array.from({ length: 20 }, (_, i) =>
      second(i, errors, requests(200, 3), requests(200, 0)),
    ).reduce(observeWarmUp, startJudge([errors]))
    const after = watched(cold, 20, (i) => second(20 + i, errors, requests(200, 0), requests(200, 0)))
    expect(only(after).canary).toEqual({ value: 0, samples: 4000 })
  })

  it("is not a broken source", () => {
    const idle = second(0, errors, undefined, undefined)
    expect(sourceBroken([idle, idle, idle].reduce(observeWarmUp, startJudge([errors])))).toBe(false)
  })
})

describe("bad input", () => {
  it("is refused with what to do", () => {
    expect(() => startJudge([errors], { alpha: 5 })).toThrow("alpha is 5, but it is a probability")
    expect(() => startJudge([errors], { minSamples: -1 })).toThrow("minSamples is -1")
    expect(() => startJudge([errors, errors])).toThrow('two metrics are named "errors"')
    expect(() => observe(startJudge([errors]), second(0, latency, undefined, undefined))).toThrow(
      'a measurement of "latency_p95" came, but this rollout judges errors',
    )
  })
})
