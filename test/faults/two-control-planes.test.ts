import { describe, expect, it } from "vitest"
import { postgresBin } from "../support/postgres.ts"
import { minutes } from "../support/until.ts"
import { freezeTheHolder } from "./campaign/f02-frozen-holder.ts"
import { forTests } from "./campaign/stage/result.ts"

describe.skipIf(!postgresBin)("two control planes on one PostgreSQL", () => {
  it(
    "share the work: orders reach the one that holds it, and when it dies or freezes the other goes on",
    async () => {
      const result = await freezeTheHolder(forTests, 1, 1_000)
      expect(result.broken).toEqual([])
      expect(result).toMatchObject({ passed: true, failedRequests: 0, lostEvents: 0, leaks: 0 })
      expect(result.lateWritesRefused).toBeGreaterThan(0)
      expect(result.requests).toBeGreaterThan(500)
    },
    6 * minutes,
  )
})
