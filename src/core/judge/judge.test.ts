import { describe, expect, it } from "vitest"
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
  verdictAfter,
  watched,
} from "./fixtures.ts"
import { observe, startJudge, verdicts } from "./judge.ts"

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
  const tolerant = { ...memory, tolerateRatio: 0.1 }
  const minutes = (count: number, canary: (i: number) => readonly number[], control: readonly number[]) =>
    only(
      watched(startJudge([tolerant]), 60 * count, (i) =>
        second(i, tolerant, levels(...canary(i)), levels(...control)),
      ),
    )

  it("far above the control's are worse within minutes, a little above not at all", () => {
    expect(minutes(6, () => [200, 210], [100, 110])).toMatchObject({ kind: "worse", unit: "MB" })
    expect(minutes(30, () => [103, 113], [100, 110]).kind).toBe("ok")
  })

  it("that grow as a leak does are worse, though they began where the control is", () => {
    expect(minutes(3, (i) => [100 + i / 20], [100]).kind).not.toBe("worse")
    expect(minutes(30, (i) => [100 + i / 20], [100]).kind).toBe("worse")
  })

  it("are held against the control's median: one strange instance of it excuses nobody and accuses nobody", () => {
    expect(minutes(30, () => [100], [100, 100, 900]).kind).toBe("ok")
    expect(minutes(30, () => [100], [100, 100, 1]).kind).toBe("ok")
    expect(minutes(10, () => [300], [100, 100, 900]).kind).toBe("worse")
  })

  it("at 0 have no ratio, and are unsure until a difference is tolerated", () => {
    expect(minutes(10, () => [50], [0]).kind).toBe("unsure")
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
