import { describe, expect, it } from "vitest"
import { systemClock } from "./system.ts"

describe("the machine's clock", () => {
  it("never goes back while it measures, and wakes a sleeper", async () => {
    const before = systemClock.mono()
    await systemClock.sleep(5)
    expect(systemClock.mono()).toBeGreaterThan(before)
    expect(Number.isInteger(systemClock.now())).toBe(true)
  })

  it("wakes a sleeper whose signal aborts, before or while it sleeps, and never rejects", async () => {
    await systemClock.sleep(1e9, AbortSignal.abort())
    const abort = new AbortController()
    const asleep = systemClock.sleep(Number.MAX_SAFE_INTEGER, abort.signal)
    abort.abort()
    await asleep
    await systemClock.sleep(-5)
  })
})
