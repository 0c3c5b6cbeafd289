import { describe, expect, it } from "vitest"
import { pointOf } from "./hash-point.ts"
import { cookieValue, cutOrder, evenPoints, poolAt, stickyKey } from "./selection.ts"
import type { PoolTable } from "./table.ts"

const split = (canary: number): readonly PoolTable[] =>
  cutOrder(
    [
      { pool: "r6", weight: 100 - canary, instances: [] },
      { pool: "r7", weight: canary, instances: [] },
    ],
    "r6",
  )

const users = Array.from({ length: 100_000 }, (_, n) => `user-${n}`)
const canaryUsers = (canary: number, salt: string) =>
  users.filter((user) => poolAt(split(canary), pointOf(salt, user))?.pool === "r7")

describe("sticky users", () => {
  it("of a growing share contain everyone who was in the smaller one", () => {
    const shares = [1, 5, 20, 25, 100].map((share) => new Set(canaryUsers(share, "a")))
    for (const [at, smaller] of shares.entries())
      for (const larger of shares.slice(at + 1))
        for (const user of smaller) expect(larger.has(user)).toBe(true)
  })

  it.each([1, 5, 25])("make a share of %i %% within 4 sigma", (share) => {
    const p = share / 100
    const sigma = Math.sqrt(users.length * p * (1 - p))
    expect(Math.abs(canaryUsers(share, "b").length - users.length * p)).toBeLessThan(4 * sigma)
  })

  it("are others with another salt", () => {
    const first = new Set(canaryUsers(5, "papi#7"))
    const both = canaryUsers(5, "papi#8").filter((user) => first.has(user))
    expect(both.length / first.size).toBeLessThan(0.08)
  })

  it("never meet a pool of weight 0", () => {
    for (const point of [0, 0.5, 0.999999999]) {
      expect(poolAt(split(0), point)?.pool).toBe("r6")
      expect(poolAt(split(100), point)?.pool).toBe("r7")
    }
    expect(poolAt([], 0.5)).toBeUndefined()
  })

  it("E48: of a canary that is taken away all meet the old pool, and of the next one others begin", () => {
    const held = canaryUsers(25, "papi/prod3/7")
    for (const user of held) expect(poolAt(split(0), pointOf("papi/prod3/7", user))?.pool).toBe("r6")
    const next = new Set(canaryUsers(25, "papi/prod3/8"))
    expect(held.filter((user) => next.has(user)).length / held.length).toBeLessThan(0.3)
  })

  it("are known by cookie, header or address", () => {
    const fields = (known: Record<string, string>) => (lower: string) => known[lower]
    const key = (by: Parameters<typeof stickyKey>[0], known: Record<string, string>) =>
      stickyKey(by, fields(known), "10.0.0.7", () => "fresh")
    expect(key({ by: "none" }, {}).key).toBeUndefined()
    expect(key({ by: "address" }, {}).key).toBe("10.0.0.7")
    expect(key({ by: "header", name: "X-User" }, { "x-user": "eva" }).key).toBe("eva")
    expect(key({ by: "header", name: "X-User" }, {}).key).toBe("10.0.0.7")
    expect(key({ by: "cookie", name: "u" }, { cookie: "a=b; u=eva" })).toEqual({
      key: "eva",
      assign: undefined,
    })
    const fresh = key({ by: "cookie", name: "u" }, {})
    expect(fresh.key).toBe("fresh")
    expect(fresh.assign).toMatch(/^Set-Cookie: u=fresh; Path=\/; SameSite=Lax; HttpOnly; Max-Age=\d+\r\n$/)
  })

  it("are not confused by cookies with similar names", () => {
    expect(cookieValue("xu=1; ux=2; u=3; u=4", "u")).toBe("3")
    expect(cookieValue("u=", "u")).toBeUndefined()
    expect(cookieValue("u", "u")).toBeUndefined()
  })
})

describe("requests without a user", () => {
  it.each([1, 5, 25])("are split evenly at every moment: %i %%", (share) => {
    const next = evenPoints(0.123)
    let canary = 0
    for (let n = 1; n <= 10_000; n++) {
      if (poolAt(split(share), next())?.pool === "r7") canary += 1
      expect(Math.abs(canary - (n * share) / 100)).toBeLessThan(5)
    }
  })
})
