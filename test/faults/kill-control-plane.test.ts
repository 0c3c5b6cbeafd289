import { describe, expect, it } from "vitest"
import { minutes } from "../support/until.ts"
import { killAtEveryStep } from "./campaign/f01-kill-at-every-step.ts"
import { forTests } from "./campaign/stage/result.ts"

describe("the control plane is killed at every persisted step", () => {
  it(
    "of a good and of a bad rollout: users notice nothing, both end as they would have, nothing leaks",
    async () => {
      const result = await killAtEveryStep(forTests, { appends: 1, orders: 0 })
      expect(result.broken).toEqual([])
      expect(result).toMatchObject({ passed: true, failedRequests: 0, lostEvents: 0, leaks: 0 })
      expect(result.killsAroundAppends).toBeGreaterThan(20)
      expect(result.requests).toBeGreaterThan(1_000)
    },
    10 * minutes,
  )
})
