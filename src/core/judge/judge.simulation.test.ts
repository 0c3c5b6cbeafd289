import { describe, expect, it } from "vitest"
import type { Chance } from "./fixtures.ts"
import {
  binomial,
  chanceFrom,
  crashed,
  crashes,
  errors,
  latencies,
  latency,
  logNormal,
  requests,
  second,
} from "./fixtures.ts"
import type { JudgeState } from "./judge.ts"
import { observe, observeWarmUp, startJudge, verdicts } from "./judge.ts"

/** The second in which any metric is first called worse, looking every second; undefined if never. */
function firstAccused(
  state: JudgeState,
  seconds: number,
  next: (state: JudgeState, i: number) => JudgeState,
) {
  let now = state
  for (let i = 0; i < seconds; i++) {
    now = next(now, i)
    if (verdicts(now).some(({ kind }) => kind === "worse")) return i + 1
  }
  return undefined
}

const strict = { ...errors, tolerateRatio: 0, tolerateDelta: 0 }

describe("a good release is almost never accused, though it is looked at every second", () => {
  // 400 rollouts at alpha 0.005: 2 expected at most, more than 7 has a chance of one in a thousand.
  const [rollouts, most] = [400, 7]

  for (const rate of [0.004, 0.03, 0.2]) {
    it(`with ${rate * 100} % errors on both sides and no margin at all`, () => {
      let accused = 0
      for (let seed = 1; seed <= rollouts; seed++) {
        const chance = chanceFrom(seed)
        const errorsNow = () => requests(40, binomial(chance, 40, rate))
        if (
          firstAccused(startJudge([strict]), 60, (s, i) =>
            observe(s, second(i, strict, errorsNow(), errorsNow())),
          )
        )
          accused++
      }
      expect(accused).toBeLessThanOrEqual(most)
    })
  }

  it("with three metrics at once, one of them a latency without a margin", () => {
    let accused = 0
    const slow = { ...latency, tolerateRatio: 0 }
    for (let seed = 1; seed <= 150; seed++) {
      const chance = chanceFrom(seed)
      const errorsNow = () => requests(30, binomial(chance, 30, 0.01))
      const latencyNow = () => latencies(Array.from({ length: 30 }, () => logNormal(chance, 100, 0.8)))
      const crashesNow = () => crashed(binomial(chance, 3, 0.05), 3)
      const found = firstAccused(startJudge([strict, slow, crashes]), 40, (s, i) =>
        [
          second(i, strict, errorsNow(), errorsNow()),
          second(i, slow, latencyNow(), latencyNow()),
          second(i, crashes, crashesNow(), crashesNow()),
        ].reduce(observe, s),
      )
      if (found) accused++
    }
    // 0.75 expected at most.
    expect(accused).toBeLessThanOrEqual(4)
  })

  it("when failures come in clusters of five, as soon as the control has shown that they do", () => {
    let accused = 0
    const clusters = (chance: Chance) => requests(75, Math.min(75, 5 * binomial(chance, 15, 0.02)))
    for (let seed = 1; seed <= rollouts; seed++) {
      const chance = chanceFrom(seed)
      // The warm-up was not judged, but it was seen.
      const warm = Array.from({ length: 30 }, (_, i) => second(i, errors, clusters(chance), clusters(chance)))
      const found = firstAccused(warm.reduce(observeWarmUp, startJudge([errors])), 60, (s, i) =>
        observe(s, second(30 + i, errors, clusters(chance), clusters(chance))),
      )
      if (found) accused++
    }
    expect(accused).toBeLessThanOrEqual(most)
  })

  it("during an outage that hits both sides alike", () => {
    let accused = 0
    const targeted = { ...errors, max: 0.02 }
    for (let seed = 1; seed <= rollouts; seed++) {
      const chance = chanceFrom(seed)
      const errorsNow = (i: number) => requests(40, binomial(chance, 40, i >= 20 && i < 40 ? 0.3 : 0.005))
      if (
        firstAccused(startJudge([targeted]), 60, (s, i) =>
          observe(s, second(i, targeted, errorsNow(i), errorsNow(i))),
        )
      )
        accused++
    }
    expect(accused).toBeLessThanOrEqual(most)
  })
})

describe("a bad release is found", () => {
  /** Share of 400 rollouts accused by that second, errors 0.4 % → 8 %. */
  function found(canary: number, control: number): (bySecond: number) => number {
    const seconds: number[] = []
    for (let seed = 1; seed <= 400; seed++) {
      const chance = chanceFrom(seed)
      const hit = firstAccused(startJudge([errors]), 30, (s, i) => {
        const bad = requests(canary, binomial(chance, canary, 0.08))
        return observe(s, second(i, errors, bad, requests(control, binomial(chance, control, 0.004))))
      })
      seconds.push(hit ?? Number.POSITIVE_INFINITY)
    }
    return (bySecond) => seconds.filter((s) => s <= bySecond).length / seconds.length
  }

  // With 160 requests a side even Fisher's exact test, looked at once, without a margin and told that
  // this is the moment, finds 81 % at this alpha. These are what is left after looking all the time.
  it("40 requests a second on each side: half within 5 s, nine of ten within 8 s", () => {
    const by = found(40, 40)
    expect(by(5)).toBeGreaterThanOrEqual(0.5)
    expect(by(8)).toBeGreaterThanOrEqual(0.9)
    expect(by(2)).toBe(0)
  })

  it("75 requests a second on each side: most within 4 s, nine of ten within 5 s", () => {
    const by = found(75, 75)
    expect(by(4)).toBeGreaterThanOrEqual(0.8)
    expect(by(5)).toBeGreaterThanOrEqual(0.9)
  })

  it("40 requests a second beside a control of 360: most within 4 s, nine of ten within 5 s", () => {
    const by = found(40, 360)
    expect(by(4)).toBeGreaterThanOrEqual(0.8)
    expect(by(5)).toBeGreaterThanOrEqual(0.9)
  })

  it("when it sets in after five good minutes", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const chance = chanceFrom(seed)
      const hit = firstAccused(startJudge([errors]), 330, (s, i) => {
        const bad = requests(40, binomial(chance, 40, i < 300 ? 0.004 : 0.08))
        return observe(s, second(i, errors, bad, requests(40, binomial(chance, 40, 0.004))))
      })
      expect(hit).toBeGreaterThan(300)
    }
  })

  it("when every request takes 100 ms longer", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const chance = chanceFrom(seed)
      const now = (extra: number) =>
        latencies(Array.from({ length: 40 }, () => logNormal(chance, 100, 0.5) + extra))
      const hit = firstAccused(startJudge([errors, latency, crashes]), 15, (s, i) =>
        observe(s, second(i, latency, now(100), now(0))),
      )
      expect(hit).toBeLessThanOrEqual(10)
    }
  })

  it("when one request of twenty takes a second longer", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const chance = chanceFrom(seed)
      const now = (share: number) =>
        latencies(
          Array.from({ length: 40 }, () => logNormal(chance, 100, 0.5) + (chance() < share ? 1000 : 0)),
        )
      const hit = firstAccused(startJudge([latency]), 60, (s, i) =>
        observe(s, second(i, latency, now(0.05), now(0))),
      )
      expect(hit).toBeDefined()
    }
  })

  it("when its instances crash every few seconds", () => {
    const hit = firstAccused(startJudge([crashes]), 60, (s, i) =>
      observe(s, second(i, crashes, crashed(i % 3 === 0 ? 1 : 0, 2), crashed(0, 2))),
    )
    expect(hit).toBeDefined()
  })
})

describe("a good release is called ok", () => {
  it("within a minute at 40 requests a second, in every metric", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const chance = chanceFrom(seed)
      const errorsNow = () => requests(40, binomial(chance, 40, 0.004))
      const latencyNow = () => latencies(Array.from({ length: 40 }, () => logNormal(chance, 100, 0.5)))
      let state = startJudge([errors, latency, crashes])
      for (let i = 0; i < 60; i++) {
        state = [
          second(i, errors, errorsNow(), errorsNow()),
          second(i, latency, latencyNow(), latencyNow()),
          second(i, crashes, crashed(0, 2), crashed(0, 2)),
        ].reduce(observe, state)
      }
      expect(verdicts(state).map(({ kind }) => kind)).toEqual(["ok", "ok", "ok"])
    }
  })

  it("but seldom when it is as bad as the promotion margin", () => {
    let promoted = 0
    // Twice the control's 2 %, and one point more.
    for (let seed = 1; seed <= 300; seed++) {
      const chance = chanceFrom(seed)
      let state = startJudge([{ ...errors, tolerateRatio: 0.5 }])
      let once = false
      for (let i = 0; i < 30; i++) {
        const now = (p: number) => requests(40, binomial(chance, 40, p))
        state = observe(state, second(i, errors, now(0.05), now(0.02)))
        once ||= verdicts(state)[0]?.kind === "ok"
      }
      if (once) promoted++
    }
    // 15 expected at most, at a promotion alpha of 0.05.
    expect(promoted).toBeLessThanOrEqual(27)
  })
})
