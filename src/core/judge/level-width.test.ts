import { describe, expect, it } from "vitest"
import type { Chance } from "./fixtures.ts"
import { chanceFrom, levels, memory, only, second, watched } from "./fixtures.ts"
import { observe, startJudge, verdicts } from "./judge.ts"

const strict = { ...memory, tolerateRatio: 0.05 }

const minutes = (count: number, canary: readonly number[], control: readonly number[]) =>
  only(
    watched(startJudge([strict]), 60 * count, (i) =>
      second(i, strict, levels(...canary), levels(...control)),
    ),
  )

describe("a level whose equal instances lie far apart", () => {
  it("accuses nobody while chance alone reaches what is tolerated, and says how far chance reaches", () => {
    const verdict = minutes(10, [130], [80, 100, 125])
    expect(verdict).toMatchObject({
      kind: "unsure",
      advisory: expect.stringMatching(/about \d\d(\.\d)? % apart/),
    })
    expect(verdict.because).toMatch(/only advisory: .* too near to the 5 % that are tolerated/)
    expect(minutes(10, [130], [99, 100, 101])).toMatchObject({ kind: "worse" })
  })

  it("still accuses when more was seen than chance explains", () => {
    const chance = chanceFrom(7)
    const wide = () => 100 * Math.exp(0.2 * (chance() - 0.5))
    let state = startJudge([strict])
    for (let i = 0; i < 120; i++) {
      const [canary, control] = [levels(1.5 * wide()), levels(wide(), wide(), wide(), wide())]
      state = observe(state, { metric: strict.name, from: i * 60_000, to: (i + 1) * 60_000, canary, control })
    }
    expect(only(state).kind).toBe("worse")
  })

  it("is not excused by one broken instance of the control", () => {
    expect(minutes(10, [130], [100, 100, 900]).kind).toBe("worse")
  })
})

/** The share of equally good sides that are accused within an hour; a minute remembers 0.8 of the last. */
function accused(side: (values: readonly number[]) => readonly number[]): number {
  const rollouts = 150
  let count = 0
  for (let seed = 1; seed <= rollouts; seed++) {
    const chance = chanceFrom(seed)
    let wander = [0, 1, 2, 3].map(() => normal(chance))
    let state = startJudge([strict], { alpha: 0.01 })
    for (let i = 0; i < 60; i++) {
      wander = wander.map((one) => 0.8 * one + 0.6 * normal(chance))
      const [canary = 0, ...control] = wander.map((one) => 50 * Math.exp(0.1 * one))
      const seen = { canary: levels(...side([canary])), control: levels(...side(control)) }
      state = observe(state, { metric: strict.name, from: i * 60_000, to: (i + 1) * 60_000, ...seen })
      if (verdicts(state).some(({ kind }) => kind === "worse")) {
        count++
        break
      }
    }
  }
  return count / rollouts
}

const normal = (chance: Chance): number =>
  Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance())

describe("a level twice as wide as what is tolerated, which wanders slowly", () => {
  it("is almost never accused when equal", () => {
    expect(accused((values) => values)).toBeLessThanOrEqual(0.02)
  })

  it("is almost never accused when equal, though a source adds up each side", () => {
    expect(
      accused((values) => [values.reduce((a, b) => a + b, 0)].map((sum) => sum / values.length)),
    ).toBeLessThanOrEqual(0.02)
  })
})
