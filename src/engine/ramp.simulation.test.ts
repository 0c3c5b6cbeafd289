import { describe, expect, it } from "vitest"
import { binomial, chanceFrom, errors, requests, second } from "../core/judge/fixtures.ts"
import { type JudgeState, observe, observeWarmUp, startJudge, verdicts } from "../core/judge/judge.ts"
import { allowedShare, ladder } from "../core/rollout/ramp.ts"

type Release = { readonly control: number; readonly canary: number }
type Climb = {
  /** Seconds until half of the traffic, and until everything; undefined: not within the time. */
  readonly half: number | undefined
  readonly all: number | undefined
  /** Extra failures a minute, in expectation, at the heaviest weight before it was proved worse. */
  readonly worst: number
  readonly worse: boolean
}

const perSecond = 20
const ramp = { harm: 5 }
/** Seconds between two steps: instances are started, and then warm up. */
const starting = 5
const warming = 10
/** The comparison's window before everything, as `compare.for` is by default. */
const lastWindow = 300

/** The judge, the budget and the ladder as a rollout uses them, one interval a second. */
function climb(seed: number, { control, canary }: Release, seconds: number, watched = true): Climb {
  const chance = chanceFrom(seed)
  let state: JudgeState = startJudge([errors], { harm: true })
  let step = 0
  let since = -starting
  let half: number | undefined
  let worst = 0
  for (let i = 0; i < seconds; i++) {
    const weight = ladder[step] ?? 1
    worst = Math.max(worst, perSecond * 60 * weight * (canary - control))
    const n = binomial(chance, perSecond, weight)
    const side = (count: number, rate: number) => requests(count, binomial(chance, count, rate))
    const interval = second(i, errors, side(n, canary), side(perSecond - n, control))
    const warm = i - since < starting + warming
    state = warm ? observeWarmUp(state, interval) : observe(state, interval)
    const found = verdicts(state)
    if (watched && found.some(({ kind }) => kind === "worse"))
      return { half, all: undefined, worst, worse: true }
    if (warm) continue
    const next = ladder[step + 1] ?? 1
    if (next === 1) {
      const judged = i - since - starting - warming
      if (judged >= lastWindow && found.every(({ kind }) => kind === "ok"))
        return { half, all: i, worst, worse: false }
    } else if (allowedShare(ramp, found) >= next) {
      step++
      since = i
      if (next === 0.5) half = i
    }
  }
  return { half, all: undefined, worst, worse: false }
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

describe("the bound on extra failures", () => {
  it("is everything before any evidence, and falls as failures do not come", () => {
    const open = startJudge([errors], { harm: true })
    expect(verdicts(open)[0]?.harm).toBeUndefined()
    let state = observe(open, second(0, errors, requests(1, 0), requests(19, 0)))
    expect(verdicts(state)[0]?.harm).toEqual({ upTo: 1, perMinute: 1_200 })
    const bounds: number[] = []
    for (let i = 1; i < 400; i++) {
      state = observe(state, second(i, errors, requests(10, 0), requests(10, 0)))
      bounds.push(verdicts(state)[0]?.harm?.upTo ?? Number.NaN)
    }
    expect(bounds).toEqual([...bounds].sort((a, b) => b - a))
    expect(bounds.at(-1)).toBeLessThanOrEqual(0.01)
  })

  it("is kept only where a ramp asks, and costs the verdict nothing", () => {
    let without = startJudge([errors])
    let kept = startJudge([errors], { harm: true })
    for (let i = 0; i < 60; i++) {
      const interval = second(i, errors, requests(10, i % 7 === 0 ? 1 : 0), requests(30, 0))
      without = observe(without, interval)
      kept = observe(kept, interval)
    }
    const [own] = verdicts(without)
    expect(own && "harm" in own).toBe(false)
    expect({ ...verdicts(kept)[0], harm: undefined }).toEqual({ ...own, harm: undefined })
  })

  it("costs a total outage no more than the budget, or the floor of one percent where that is more", () => {
    const floor = perSecond * 60 * 0.01
    for (let seed = 1; seed <= 40; seed++) {
      const { worst, worse } = climb(seed, { control: 0.001, canary: 1 }, 600)
      expect(worse).toBe(true)
      expect(worst).toBeLessThanOrEqual(Math.max(ramp.harm, floor))
    }
  })

  it("keeps the budget 19 times in 20 for any steady loss, even with nobody to roll it back", () => {
    const runs = 40
    for (const extra of [0.5, 0.15, 0.05, 0.02]) {
      const floor = perSecond * 60 * 0.01 * extra
      let over = 0
      for (let seed = 1; seed <= runs; seed++) {
        const { worst } = climb(seed, { control: 0.01, canary: 0.01 + extra }, 500, false)
        if (worst > Math.max(ramp.harm, floor) * (1 + 1e-9)) over++
      }
      // 5 % of 40 are 2; 6 or more would happen once in seventy where exactly 5 % are.
      expect(over, `${extra} more`).toBeLessThanOrEqual(5)
    }
  })

  it.each([0.001, 0.01])("lets a healthy release at %d errors through before fixed steps would", (rate) => {
    const climbs = Array.from({ length: 20 }, (_, i) =>
      climb(100 + i, { control: rate, canary: rate }, 2_400),
    )
    const minutes = (of: "half" | "all") =>
      median(climbs.map((one) => one[of] ?? Number.POSITIVE_INFINITY)) / 60
    // 5, 10, 25 and 50 percent for ten minutes each: half after 25, everything after 40.
    expect(minutes("half")).toBeLessThan(25)
    expect(minutes("all")).toBeLessThan(40)
  })
})
