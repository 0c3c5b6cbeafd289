import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Measurement, Observation } from "../model/measurement.ts"
import type { MetricPolicy } from "../model/policy.ts"
import type { Verdict } from "../model/verdict.ts"
import {
  crashed,
  crashes,
  errors,
  latencies,
  latency,
  levels,
  memory,
  requests,
  second,
  watched,
} from "./fixtures.ts"
import type { JudgeOptions, JudgeState } from "./judge.ts"
import { observe, sourceBroken, startJudge, verdicts } from "./judge.ts"

const only = (state: JudgeState): Verdict => {
  const [verdict] = verdicts(state)
  if (!verdict) throw new Error("no verdict")
  return verdict
}

/** The verdict on one metric after `count` equal seconds. */
function verdictAfter(
  count: number,
  metric: MetricPolicy,
  canary: Observation | undefined,
  control: Observation | undefined,
  options: Partial<JudgeOptions> = {},
): Verdict {
  return only(watched(startJudge([metric], options), count, (i) => second(i, metric, canary, control)))
}

describe("errors", () => {
  it("are worse when proven, and the sentence has the numbers, the limit and the samples", () => {
    const verdict = verdictAfter(6, errors, requests(40, 4), requests(80, 0))
    expect(verdict.kind).toBe("worse")
    expect(verdict.because).toBe(
      "10 % of 240 requests failed, control 0 % of 480; at most 0.2 % is tolerated",
    )
    expect(verdict.unit).toBe("%")
    expect(verdict.canary).toEqual({ value: 0.1, samples: 240 })
    expect(verdict.limit).toBeCloseTo(0.002)
    expect(verdict.difference?.low).toBeGreaterThan(0.04)
    expect(verdict.logEvidence).toBeGreaterThan(Math.log(200))
  })

  it("are never proven by one second, nor by two, however bad", () => {
    for (const count of [1, 2]) {
      expect(verdictAfter(count, errors, requests(500, 500), requests(500, 0)).kind).toBe("unsure")
    }
    expect(verdictAfter(4, errors, requests(500, 500), requests(500, 0)).kind).toBe("worse")
  })

  it("are not proven sooner by looking more often", () => {
    const halves = (count: number) =>
      watched(startJudge([errors]), count, (i) => ({
        ...second(i, errors, requests(250, 250), requests(250, 0)),
        from: i * 500,
        to: (i + 1) * 500,
      }))
    expect(only(halves(4)).kind).toBe("unsure")
    expect(only(halves(8)).kind).toBe("worse")
  })

  it("are ok once much worse is excluded, and not before the samples that the policy asks for", () => {
    const healthy = (count: number) =>
      verdictAfter(count, errors, requests(50, 0), requests(50, 0), { minSamples: 1000 })
    expect(healthy(19)).toMatchObject({
      kind: "unsure",
      because: expect.stringContaining("950 of 1,000 requests seen"),
    })
    expect(healthy(20)).toMatchObject({
      kind: "ok",
      because: expect.stringContaining("more than 1 % is excluded"),
    })
  })

  it("within the margin are not worse", () => {
    const verdict = verdictAfter(200, { ...errors, tolerateRatio: 0.5 }, requests(100, 3), requests(100, 2))
    expect(verdict.kind).not.toBe("worse")
  })

  it("are no longer ok soon after the canary turns bad", () => {
    const good = watched(startJudge([errors]), 300, (i) =>
      second(i, errors, requests(50, 0), requests(50, 0)),
    )
    expect(only(good).kind).toBe("ok")
    const turned = watched(good, 5, (i) => second(300 + i, errors, requests(50, 4), requests(50, 0)))
    expect(only(turned).kind).not.toBe("ok")
  })

  it("of a large share are told apart by the exact test", () => {
    expect(verdictAfter(30, errors, requests(100, 40), requests(100, 20)).kind).toBe("worse")
    expect(verdictAfter(30, errors, requests(100, 20), requests(100, 20)).kind).not.toBe("worse")
  })

  it("turned around, accuse the canary that has less", () => {
    const signups: MetricPolicy = { ...errors, name: "signups", worse: "down", tolerateDelta: 0.01 }
    const verdict = verdictAfter(60, signups, requests(100, 10), requests(100, 30))
    expect(verdict).toMatchObject({ kind: "worse", because: expect.stringContaining("at least") })
    expect(verdictAfter(60, signups, requests(100, 30), requests(100, 10)).kind).toBe("ok")
  })
})

describe("latency", () => {
  const fast = latencies([...new Array<number>(37).fill(100), 190, 200, 210])
  const slow = latencies([...new Array<number>(37).fill(200), 380, 400, 420])

  it("is worse when the canary is slower, and the sentence says by how much", () => {
    const verdict = verdictAfter(15, latency, slow, fast)
    expect(verdict.kind).toBe("worse")
    expect(verdict.unit).toBe("ms")
    expect(verdict.because).toMatch(
      /p95 38\d ms over 600 requests, control 19\d ms over 600; at most 2[01]\d ms is tolerated/,
    )
    expect(verdict.difference?.estimate).toBeGreaterThan(150)
  })

  it("is ok when it is the same", () => {
    expect(verdictAfter(60, latency, fast, fast)).toMatchObject({
      kind: "ok",
      because: expect.stringContaining("twice as many slow requests as in the control are excluded"),
    })
  })

  it("within the tolerated milliseconds is not worse", () => {
    const later = latencies([...new Array<number>(37).fill(150), 240, 250, 260])
    expect(verdictAfter(60, { ...latency, tolerateDelta: 60 }, later, fast).kind).not.toBe("worse")
    expect(verdictAfter(60, latency, later, fast).kind).toBe("worse")
  })

  it("shows where the evidence lies when it is not at the metric's own quantile", () => {
    const median = latencies([...new Array<number>(37).fill(150), 190, 200, 210])
    const verdict = verdictAfter(30, latency, median, fast)
    expect(verdict.kind).toBe("worse")
    expect(verdict.because).toContain("took longer than")
  })

  it("keeps an absolute target of its own", () => {
    const targeted: MetricPolicy = { ...latency, max: 300, tolerateRatio: 5 }
    const verdict = verdictAfter(30, targeted, latencies(new Array<number>(40).fill(400)), fast)
    expect(verdict).toMatchObject({
      kind: "worse",
      because: expect.stringContaining("the target is at most 300 ms at p95 and the control keeps it"),
    })
  })
})

describe("events", () => {
  it("are worse when the canary crashes and the control does not", () => {
    const verdict = verdictAfter(40, crashes, crashed(1, 2), crashed(0, 2))
    expect(verdict).toMatchObject({
      kind: "worse",
      unit: "per min",
      because:
        "40 events in 80 instance-seconds, control 0 events in 80 instance-seconds; at most 0 per min is tolerated",
    })
  })

  it("are ok as long as nothing happened that the control does not show", () => {
    expect(verdictAfter(2, crashes, crashed(0, 2), crashed(0, 2)).kind).toBe("ok")
  })

  it("leave it unsure when a single one happened", () => {
    const once = watched(startJudge([crashes]), 60, (i) =>
      second(i, crashes, crashed(i === 5 ? 1 : 0, 2), crashed(0, 2)),
    )
    expect(only(once)).toMatchObject({
      kind: "unsure",
      because: expect.stringContaining("may still be chance"),
    })
  })
})

describe("gauges", () => {
  it("without a target are unsure, and say that comparing them comes later", () => {
    const verdict = verdictAfter(60, memory, levels(900, 910), levels(100, 110))
    expect(verdict).toMatchObject({ kind: "unsure", unit: "MB", logEvidence: 0 })
    expect(verdict.because).toContain("comes later")
  })

  it("beyond their target for many intervals are worse, for a few are not", () => {
    const limited = { ...memory, max: 256 }
    expect(verdictAfter(3, limited, levels(300), levels(100)).kind).toBe("unsure")
    expect(verdictAfter(40, limited, levels(300), levels(100)).kind).toBe("worse")
    expect(verdictAfter(40, limited, levels(120), levels(100)).kind).toBe("ok")
  })

  it("lose their NaN samples, and are absent when nothing else is left", () => {
    expect(verdictAfter(5, memory, levels(Number.NaN, 100), levels(100)).canary).toEqual({
      value: 100,
      samples: 5,
    })
    expect(verdictAfter(5, memory, levels(Number.NaN), levels(100)).kind).toBe("nodata")
  })
})

describe("an absolute target", () => {
  const targeted: MetricPolicy = { ...errors, max: 0.02, tolerateRatio: 100 }

  it("accuses a canary that breaks it while the control does not", () => {
    const verdict = verdictAfter(20, targeted, requests(50, 5), requests(50, 0))
    expect(verdict).toMatchObject({
      kind: "worse",
      controlAlsoBad: false,
      because:
        "10 % of 1,000 requests failed, control 0 % of 1,000; the target is at most 2 % and the control keeps it",
    })
  })

  it("that the control breaks too says that the world is sick, not the release", () => {
    const verdict = verdictAfter(200, targeted, requests(50, 5), requests(50, 5))
    expect(verdict).toMatchObject({ kind: "unsure", controlAlsoBad: true })
    expect(verdict.because).toContain("which the control breaks as well")
  })

  it("is not held against a canary whose control could not be seen", () => {
    expect(verdictAfter(60, targeted, requests(50, 5), undefined).kind).toBe("unsure")
  })

  it("from below accuses less than it", () => {
    const share: MetricPolicy = { ...errors, name: "answered", worse: "down", min: 0.99, tolerateRatio: 100 }
    expect(verdictAfter(30, share, requests(50, 40), requests(50, 50)).kind).toBe("worse")
  })
})

describe("without a control", () => {
  const solo = { solo: true }

  it("only metrics with a target are judged, and errors always have one", () => {
    const state = startJudge([errors, latency, { ...latency, name: "latency_max", max: 500 }, crashes], solo)
    expect(verdicts(state).map(({ metric }) => metric)).toEqual(["errors", "latency_max"])
  })

  it("a release that fails most of its requests is worse", () => {
    const verdict = verdictAfter(10, errors, requests(40, 36), undefined, solo)
    expect(verdict).toMatchObject({
      kind: "worse",
      because: "90 % of 400 requests failed; no release may fail more than 50 % of its requests",
    })
  })

  it("a release that surely keeps its target is ok", () => {
    expect(verdictAfter(10, errors, requests(40, 0), undefined, solo).kind).toBe("ok")
    expect(verdictAfter(20, { ...errors, max: 0.02 }, requests(40, 0), undefined, solo).kind).toBe("ok")
    expect(verdictAfter(20, { ...errors, max: 0.02 }, requests(40, 1), undefined, solo).kind).toBe("unsure")
  })

  it("but not said to be, a metric without anything to compare stays unsure", () => {
    expect(verdictAfter(20, errors, requests(40, 0), undefined)).toMatchObject({
      kind: "unsure",
      because: expect.stringContaining("there is nothing to compare it with"),
    })
  })

  it("a measurement of a metric that is left out changes no verdict", () => {
    const state = startJudge([errors, latency], solo)
    expect(verdicts(observe(state, second(0, latency, latencies([100]), undefined)))).toEqual(verdicts(state))
  })
})

describe("what cannot be seen is never ok and never worse", () => {
  const bad = (count: number) =>
    watched(startJudge([errors]), count, (i) => second(i, errors, requests(50, 25), requests(50, 0)))
  const good = (count: number) =>
    watched(startJudge([errors]), count, (i) => second(i, errors, requests(50, 0), requests(50, 0)))

  it("before anything was measured", () => {
    expect(only(startJudge([errors]))).toMatchObject({ kind: "nodata", because: "nothing was measured yet" })
  })

  it("after three intervals without a canary, whatever was known before", () => {
    for (const known of [bad(20), good(60)]) {
      const blind = (count: number) =>
        watched(known, count, (i) => second(60 + i, errors, undefined, undefined, "router: connect ENOENT"))
      expect(only(blind(2)).kind).not.toBe("nodata")
      expect(only(blind(3))).toMatchObject({
        kind: "nodata",
        because: "it could not be measured in the last 3 intervals: router: connect ENOENT",
      })
    }
  })

  it("when the canary is silent while the control has traffic", () => {
    const silent = watched(good(60), 3, (i) => second(60 + i, errors, requests(0, 0), requests(50, 25)))
    expect(only(silent).kind).toBe("nodata")
    expect(only(silent).because).toContain(
      "the canary was silent in the last 3 intervals while the control was not",
    )
  })

  it("and is judged again as soon as it is seen", () => {
    const blind = watched(good(60), 10, (i) => second(60 + i, errors, undefined, undefined))
    expect(only(observe(blind, second(70, errors, requests(50, 0), requests(50, 0)))).kind).toBe("ok")
  })

  it("and adds nothing: a gap leaves the evidence as it was", () => {
    const known = bad(2)
    const gap = observe(known, second(2, errors, undefined, requests(50, 0)))
    expect(only(gap).logEvidence).toBe(only(known).logEvidence)
  })

  const impossible: readonly [string, Observation][] = [
    ["NaN", requests(Number.NaN, Number.NaN)],
    ["infinite", requests(Number.POSITIVE_INFINITY, 3)],
    ["negative", requests(10, -1)],
    ["more bad than all", requests(10, 11)],
    ["another kind", levels(0.5)],
  ]
  for (const [name, observation] of impossible) {
    it(`and what cannot be right counts as unseen, not as zero: ${name}`, () => {
      expect(verdictAfter(5, errors, observation, requests(50, 0)).kind).toBe("nodata")
      expect(verdictAfter(5, errors, requests(50, 0), observation).control).toBeUndefined()
    })
  }

  it("nor does a histogram with a broken bucket", () => {
    const broken: Observation = { kind: "histogram", buckets: [[10, Number.NaN]] }
    expect(verdictAfter(5, latency, broken, latencies([100])).kind).toBe("nodata")
    expect(verdictAfter(5, crashes, crashed(Number.NaN, 2), crashed(0, 2)).kind).toBe("nodata")
  })
})

describe("a source is broken", () => {
  const both = startJudge([errors, latency, memory])
  const seen = (i: number, metric: MetricPolicy, canary: Observation | undefined) =>
    second(i, metric, canary, undefined)

  it("when none of its metrics was seen in three intervals", () => {
    const router = (count: number) =>
      watched(both, count, (i) => [
        seen(i, errors, undefined),
        seen(i, latency, undefined),
        seen(i, memory, levels(1)),
      ])
    expect(sourceBroken(router(2))).toBe(false)
    expect(sourceBroken(router(3))).toBe(true)
    expect(sourceBroken(observe(router(3), seen(3, errors, requests(1, 0))))).toBe(false)
  })

  it("not when one of its metrics is still seen, nor when the canary is merely silent", () => {
    const partly = watched(both, 5, (i) => [
      seen(i, errors, requests(0, 0)),
      seen(i, latency, undefined),
      seen(i, memory, levels(1)),
    ])
    expect(sourceBroken(partly)).toBe(false)
  })

  it("not before anything was measured, and never without metrics", () => {
    expect(sourceBroken(both)).toBe(false)
    expect(sourceBroken(startJudge([]))).toBe(false)
  })
})

describe("several metrics", () => {
  it("are judged together, and the guilty one is named alone", () => {
    const state = watched(startJudge([errors, latency, crashes, memory]), 30, (i) => [
      second(i, errors, requests(50, 5), requests(50, 0)),
      second(
        i,
        latency,
        latencies(new Array<number>(50).fill(100)),
        latencies(new Array<number>(50).fill(100)),
      ),
      second(i, crashes, crashed(0, 2), crashed(0, 2)),
      second(i, memory, levels(100), levels(100)),
    ])
    expect(verdicts(state).map(({ metric, kind }) => [metric, kind])).toEqual([
      ["errors", "worse"],
      ["latency_p95", "ok"],
      ["crashes", "ok"],
      ["memory", "unsure"],
    ])
  })

  it("need more evidence each than one alone, a critical one less than the others", () => {
    const seconds = (metrics: readonly MetricPolicy[], guilty: MetricPolicy) => {
      let state = startJudge(metrics)
      for (let i = 0; i < 60; i++) {
        state = observe(state, second(i, guilty, requests(40, 2), requests(40, 0)))
        if (verdicts(state).some(({ kind }) => kind === "worse")) return i
      }
      return 60
    }
    const lesser = { ...errors, name: "lesser", critical: false }
    const others = [latency, { ...latency, name: "latency_p99" }, crashes]
    expect(seconds([errors], errors)).toBeLessThan(seconds([errors, ...others], errors))
    expect(seconds([errors, lesser], errors)).toBeLessThanOrEqual(seconds([errors, lesser], lesser))
  })
})

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

  it("whatever comes, every number of a verdict is finite and a dark metric is nodata", () => {
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
          if (!canary) expect(verdict.kind).toBe("nodata")
        }
      }),
      { numRuns: 200 },
    )
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
