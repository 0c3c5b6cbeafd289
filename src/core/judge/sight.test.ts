import { describe, expect, it } from "vitest"
import type { Observation } from "../model/measurement.ts"
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
import { observe, sourceBroken, startJudge } from "./judge.ts"

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

  it("but a route with next to no traffic is thin, not dark: it is watched longer, then a person is asked", () => {
    const quiet = watched(startJudge([errors]), 5, (i) => second(i, errors, requests(0, 0), requests(0, 0)))
    expect(only(quiet)).toMatchObject({
      kind: "unsure",
      because: "too little traffic to judge: none on the canary in the last 5 intervals",
    })
    const trickle = watched(startJudge([errors]), 60, (i) =>
      second(i, errors, requests(i % 20 === 0 ? 1 : 0, 0), requests(i % 20 === 5 ? 1 : 0, 0)),
    )
    expect(only(trickle).kind).toBe("unsure")
  })

  it("a small share's pauses are thin as well, until so much went by that silence cannot be chance", () => {
    const small = watched(startJudge([errors]), 20, (i) =>
      second(i, errors, requests(i % 2, 0), requests(50, 0)),
    )
    const silence = (count: number) =>
      watched(small, count, (i) => second(20 + i, errors, requests(0, 0), requests(50, 0)))
    expect(only(silence(4)).kind).toBe("unsure")
    expect(only(silence(30)).kind).toBe("nodata")
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
