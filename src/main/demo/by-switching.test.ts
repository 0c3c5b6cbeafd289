import { describe, expect, it } from "vitest"
import { bySwitching } from "./by-switching.ts"
import type { Seen } from "./traffic.ts"

const request = (more: Partial<Seen>): Seen => ({
  at: 100_000,
  ms: 20,
  ok: false,
  release: undefined,
  router: "socket hang up",
  pool: undefined,
  ...more,
})
const blame = { pool: "r9", crashes: [101_000], isSilent: true }

describe("a request that failed", () => {
  it("is the switching's fault when no instance can be blamed", () => {
    const own = request({ router: "no-instance", pool: "r1" })
    expect(bySwitching([own, request({ release: "abc" }), request({ pool: "r9" })], blame)).toEqual([own])
  })

  it("is an instance's that died under it, where the router breaks off without a word", () => {
    expect(bySwitching([request({})], blame)).toEqual([])
    const before = request({ at: 90_000 })
    const after = request({ at: 101_500 })
    const told = request({ router: "reset", pool: "r1" })
    const refused = request({ router: "connect ECONNREFUSED" })
    expect(bySwitching([before, after, told, refused], blame)).toEqual([before, after, told, refused])
    expect(bySwitching([request({})], { ...blame, isSilent: false })).toHaveLength(1)
    expect(bySwitching([request({})], { ...blame, crashes: [] })).toHaveLength(1)
  })
})
