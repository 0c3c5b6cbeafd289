import { describe, expect, it } from "vitest"
import type { InstanceShare, Observation, ToldShare } from "../model/measurement.ts"
import { binomial, type Chance, chanceFrom, errors, latencies, latency, logNormal, only } from "./fixtures.ts"
import { shareOf } from "./instance-share.ts"
import { type JudgeState, observe, observeControlBefore, startJudge } from "./judge.ts"

type Seen = Extract<Observation, { kind: "proportion" }>

/** A side whose instances answer 200 requests each in an interval, failing at these rates. */
function side(chance: Chance, first: number, rates: readonly number[]): Seen {
  const instances = rates.map((rate, i): InstanceShare => {
    const seen = { kind: "proportion" as const, total: 200, bad: binomial(chance, 200, rate) }
    return { id: `i${first + i}`, n: seen.total, sum: seen.bad, squares: 0 }
  })
  const sum = (of: (one: InstanceShare) => number) => instances.reduce((all, one) => all + of(one), 0)
  return { kind: "proportion", total: sum(({ n }) => n), bad: sum((one) => one.sum), instances }
}

const interval = (i: number, canary: Observation, control: Observation, told?: ToldShare) => ({
  metric: errors.name,
  from: i * 10_000,
  to: (i + 1) * 10_000,
  canary,
  control,
  ...(told ? { told } : {}),
})

const strict = { ...errors, tolerateRatio: 0.1, tolerateDelta: 0 }

function heard(
  intervals: number,
  canary: readonly number[],
  control: readonly number[],
  seed = 1,
): JudgeState {
  const chance = chanceFrom(seed)
  let state = startJudge([strict])
  for (let i = 0; i < intervals; i++)
    state = observe(state, interval(i, side(chance, 100, canary), side(chance, 0, control)))
  return state
}

const alike = [0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03]
const unlike = [0.02, 0.025, 0.028, 0.03, 0.03, 0.032, 0.036, 0.042]

describe("the margin that the control's own instances teach", () => {
  it("stays as written while its instances are alike", () => {
    const verdict = only(heard(120, [0.03, 0.03], alike))
    expect(verdict.because).not.toMatch(/instances differ/)
    expect(verdict.limit).toBeLessThan(0.004)
    expect(only(heard(120, [0.045, 0.045], alike)).kind).toBe("worse")
  })

  it("is as wide as they lie apart, and the sentence says so", () => {
    const odd = only(heard(120, [0.039, 0.039], unlike))
    expect(odd.kind).not.toBe("worse")
    expect(odd.limit).toBeGreaterThan(0.008)
    const bad = only(heard(120, [0.09, 0.09], unlike))
    expect(bad.kind).toBe("worse")
    expect(bad.because).toMatch(/is tolerated, as the control's 8 instances differ by \d+(\.\d)? %/)
  })

  it("is no wider for one broken instance of the control", () => {
    const verdict = only(heard(120, [0.05, 0.05], [0.2, ...alike]))
    expect(verdict.advisory).toBeUndefined()
    expect(verdict.limit ?? 1).toBeLessThan(0.015)
  })

  it("does not take for a difference what moves all instances, nor an instance that came later", () => {
    const chance = chanceFrom(3)
    let state = startJudge([strict])
    for (let i = 0; i < 120; i++) {
      const rate = i < 60 ? 0.01 : 0.06
      const control = [rate, rate, rate, ...(i < 60 ? [] : [rate, rate])]
      state = observe(state, interval(i, side(chance, 100, [rate]), side(chance, 0, control)))
    }
    expect(only(state).because).not.toMatch(/instances differ/)
  })

  it("is believed where one instance on a side teaches nothing: a half more may be the instance, four times as many not", () => {
    const half = only(heard(120, [0.045], [0.03]))
    expect(half.kind).not.toBe("worse")
    const many = only(heard(60, [0.12], [0.03]))
    expect(many.kind).toBe("worse")
    expect(many.because).toMatch(
      /tolerated, as one instance of the control does not tell how far two may lie apart/,
    )
    // More than a doubling accuses, however little is known.
    expect(many.limit).toBeLessThan(0.045)
  })

  it("is not given as a reason where it changes nothing, as beside a control without failures", () => {
    const worse = only(heard(60, [0.12], [0]))
    expect(worse.kind).toBe("worse")
    expect(worse.because).not.toMatch(/does not tell/)
  })

  it("of one instance is wider for the accusation only: what is called ok is as the policy says", () => {
    expect(only(heard(120, [0.01], [0.01])).kind).toBe("ok")
    const doubled = only(heard(30, [0.06], [0.03]))
    expect(doubled.kind).not.toBe("ok")
  })

  it("is as written where a source does not tell instances apart", () => {
    const chance = chanceFrom(1)
    let state = startJudge([strict])
    const together = (rate: number): Observation => ({
      kind: "proportion",
      total: 400,
      bad: binomial(chance, 400, rate),
    })
    for (let i = 0; i < 120; i++) state = observe(state, interval(i, together(0.06), together(0.03)))
    expect(only(state)).toMatchObject({ kind: "worse" })
    expect(only(state).because).not.toMatch(/instance/)
  })

  it("knows what its instances showed when they were a canary themselves", () => {
    const chance = chanceFrom(5)
    let state = startJudge([strict])
    for (let i = 0; i < 120; i++)
      state = observeControlBefore(state, {
        ...interval(i, side(chance, 0, unlike), side(chance, 0, unlike)),
      })
    state = observe(state, interval(200, side(chance, 100, [0.03]), side(chance, 0, unlike)))
    expect(only(state).limit).toBeGreaterThan(0.008)
  })

  it("of latencies comes from how much slower instances are than others", () => {
    const chance = chanceFrom(7)
    const slow = (first: number, factors: readonly number[]): Observation => {
      const seen = factors.map((f) =>
        latencies(Array.from({ length: 40 }, () => f * logNormal(chance, 100, 0.5))),
      )
      const all = latencies(
        factors.flatMap((f) => Array.from({ length: 40 }, () => f * logNormal(chance, 100, 0.5))),
      )
      const instances = seen.flatMap((one, i) => shareOf(`i${first + i}`, one) ?? [])
      return all.kind === "histogram" ? { ...all, instances } : all
    }
    const run = (canary: readonly number[], control: readonly number[]) => {
      let state = startJudge([latency])
      for (let i = 0; i < 40; i++)
        state = observe(state, { ...interval(i, slow(100, canary), slow(0, control)), metric: latency.name })
      return only(state)
    }
    const apart = [0.75, 0.85, 0.95, 1, 1.05, 1.2, 1.35]
    expect(run([1.35, 1.35], apart).kind).not.toBe("worse")
    expect(run([1.35, 1.35], [1, 1, 1, 1, 1, 1, 1]).kind).toBe("worse")
  })
})

describe("a metric of which an assumption does not hold", () => {
  it("is advisory where instances differ so much that a doubling could be chance: it neither convicts nor passes", () => {
    const verdict = only(heard(120, [0.09], [0.01, 0.09]))
    expect(verdict.kind).toBe("unsure")
    expect(verdict.advisory).toMatch(/the control's 2 instances differ among themselves/)
    expect(verdict.because).toMatch(/only advisory: /)
    expect(verdict.logEvidence).toBeLessThanOrEqual(0)
  })

  it("still holds the canary against its absolute target", () => {
    const chance = chanceFrom(2)
    let state = startJudge([{ ...strict, max: 0.1 }])
    for (let i = 0; i < 60; i++)
      state = observe(state, interval(i, side(chance, 100, [0.4]), side(chance, 0, [0.01, 0.07])))
    expect(only(state)).toMatchObject({ kind: "worse" })
  })
})

describe("copies that were dropped", () => {
  /** 95 copies an interval on either side, and so many that were not made. */
  const mirrored = (dropped: number, rate = 0.01, intervals = 60) => {
    const chance = chanceFrom(6)
    let state = startJudge([errors])
    for (let i = 0; i < intervals; i++) {
      const seen = (p: number): Observation => ({
        kind: "proportion",
        total: 95,
        bad: binomial(chance, 95, p),
      })
      const copies = { made: 95, dropped }
      state = observe(state, { ...interval(i, seen(rate), seen(0.01)), copies })
    }
    return only(state)
  }

  it("make no difference when they are few", () => {
    expect(mirrored(0)).toMatchObject({ kind: "ok" })
    expect(mirrored(4)).toMatchObject({ kind: "ok" })
    expect(mirrored(4).advisory).toBeUndefined()
  })

  it("keep a good comparison from passing, and the reason names their share", () => {
    const verdict = mirrored(5 + 15)
    expect(verdict.kind).toBe("nodata")
    expect(verdict.because).toMatch(/only advisory: 17(\.\d)? % of the copies were dropped/)
    expect(verdict.advisory).toMatch(/% of the copies were dropped/)
  })

  it("do not protect a candidate that is worse even in what is left", () => {
    expect(mirrored(40, 0.2).kind).toBe("worse")
  })
})

describe("requests that did not arrive as the router was told", () => {
  /** 1,000 requests an interval, of which this share reaches the canary. */
  const split = (share: number, rate: number, told: ToldShare, intervals = 30) => {
    const chance = chanceFrom(4)
    let state = startJudge([errors])
    for (let i = 0; i < intervals; i++) {
      const n = binomial(chance, 1_000, share)
      const seen = (total: number, p: number): Observation => ({
        kind: "proportion",
        total,
        bad: binomial(chance, total, p),
      })
      state = observe(state, interval(i, seen(n, rate), seen(1_000 - n, 0.01), told))
    }
    return only(state)
  }
  const tenth = { share: 0.1, sticky: false }

  it("make no difference while they split as told, by chance", () => {
    expect(split(0.1, 0.01, tenth).advisory).toBeUndefined()
    expect(split(0.1, 0.01, tenth, 200)).toMatchObject({ kind: "ok" })
  })

  it("are never passed, and the reason names both shares", () => {
    const verdict = split(0.2, 0.01, tenth)
    expect(verdict.kind).toBe("nodata")
    expect(verdict.because).toMatch(
      /the canary got (19|20)(\.\d)? % of the requests where the router was told 10 %/,
    )
    expect(split(0.04, 0.01, tenth).kind).toBe("nodata")
  })

  it("accuse nobody of failures under a load that was not meant for it, but a starved canary stays accused", () => {
    expect(split(0.3, 0.3, tenth).kind).toBe("nodata")
    expect(split(0.04, 0.3, tenth)).toMatchObject({
      kind: "worse",
      advisory: expect.stringContaining("10 %"),
    })
  })

  it("may differ more where users are kept on their side, for users are unlike", () => {
    expect(split(0.16, 0.01, { share: 0.1, sticky: true }).advisory).toBeUndefined()
    expect(split(0.5, 0.01, { share: 0.1, sticky: true }).kind).toBe("nodata")
  })

  it("are so judged by mistake in less than one of a thousand rollouts", () => {
    let mistakes = 0
    for (let seed = 1; seed <= 300; seed++) {
      const chance = chanceFrom(seed)
      let state = startJudge([errors])
      for (let i = 0; i < 60; i++) {
        const n = binomial(chance, 100, 0.05)
        const none = (total: number): Observation => ({ kind: "proportion", total, bad: 0 })
        state = observe(state, interval(i, none(n), none(100 - n), { share: 0.05, sticky: false }))
      }
      if (only(state).advisory) mistakes++
    }
    expect(mistakes).toBe(0)
  })
})
