import { describe, expect, it } from "vitest"
import { steadyClock } from "./steady-clock.ts"

describe("a steady clock", () => {
  const make = () => {
    const real = { wall: 1_000_000, mono: 0 }
    const clock = steadyClock({ now: () => real.wall, mono: () => real.mono, sleep: async () => undefined })
    const pass = (forMs: number) => {
      real.wall += forMs
      real.mono += forMs
      return clock.now()
    }
    return { real, clock, pass }
  }

  it("shows what the wall clock shows", () => {
    const { pass } = make()
    expect(pass(5_000)).toBe(1_005_000)
    expect(pass(1)).toBe(1_005_001)
  })

  it.each([3_600_000, -3_600_000])("follows a jump of %i ms slowly and never goes back", (jump) => {
    const { real, pass } = make()
    pass(1_000)
    real.wall += jump
    let last = 1_001_000
    for (let second = 0; second < 60; second++) {
      const now = pass(1_000)
      expect(now - last).toBeGreaterThanOrEqual(899)
      expect(now - last).toBeLessThanOrEqual(1_101)
      last = now
    }
  })

  it("is back at the wall clock after ten times a small correction", () => {
    const { real, clock, pass } = make()
    real.wall += 500
    pass(5_000)
    expect(clock.now()).toBe(real.wall)
  })
})
