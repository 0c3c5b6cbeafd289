import { describe, expect, it } from "vitest"
import { crashes, errors, latency } from "./fixtures.ts"
import { preflight } from "./preflight.ts"

describe("before a rollout starts", () => {
  const exact = { ...errors, tolerateRatio: 0, tolerateDelta: 0 }

  it("the time to find a doubling agrees with the information bound", () => {
    // 1 % → 2 %, half of the traffic on the canary, alpha 0.01: 5,341 requests at the bound.
    const { detectsRatio, seconds } = preflight(exact, 100, 0.5, 0.01, { alpha: 0.01, withinSeconds: 100 })
    expect(detectsRatio).toBe(2)
    expect(seconds).toBeGreaterThan(0.99 * 1.3 * 53.41)
    expect(seconds).toBeLessThan(1.01 * 1.3 * 53.41)
  })

  it("says in one sentence what can be seen", () => {
    expect(preflight(exact, 150, 0.5, 0.01).because).toMatch(
      /^errors: finds 1.5 × the failures \(1 % now\) in about \S+ min at 150 requests a second, 50 % of them on the canary$/,
    )
    expect(preflight(latency, 150, 0.5, 0).because).toContain("the share of slow requests")
  })

  it("says when the traffic is too thin", () => {
    const thin = preflight(exact, 0.01, 0.05, 0.01)
    expect(thin.detectsRatio).toBeUndefined()
    expect(thin.because).toContain("too little traffic")
    expect(preflight(exact, 0, 0.5, 0.01).because).toContain("nothing can be compared")
  })

  it("a margin hides what is within it", () => {
    const wide = preflight({ ...errors, tolerateRatio: 2, tolerateDelta: 0 }, 150, 0.5, 0.01)
    expect(wide.detectsRatio).toBeGreaterThan(3)
  })

  it("promises nothing for what is not counted per request", () => {
    expect(preflight(crashes, 150, 0.5, 0).detectsRatio).toBeUndefined()
  })
})
