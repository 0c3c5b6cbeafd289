import { describe, expect, it } from "vitest"
import { backOff } from "./back-off.ts"

const pace = { first: 1_000, longest: 60_000 }

describe("who tries again", () => {
  it("waits longer each time, and never longer than the longest", () => {
    for (let failures = 1; failures < 100; failures++) {
      const full = Math.min(60_000, 1_000 * 2 ** (failures - 1))
      expect(backOff("papi", failures, pace)).toBeGreaterThanOrEqual(full / 2)
      expect(backOff("papi", failures, pace)).toBeLessThanOrEqual(full)
    }
  })

  it("does not come back together with all others that failed at the same moment", () => {
    const pauses = Array.from({ length: 200 }, (_, app) => backOff(`app-${app}`, 3, pace))
    for (let from = 2_000; from < 4_000; from += 500)
      expect(pauses.filter((pause) => pause >= from && pause < from + 500).length).toBeGreaterThan(20)
    expect(backOff("papi", 3, pace)).toBe(backOff("papi", 3, pace))
  })
})
