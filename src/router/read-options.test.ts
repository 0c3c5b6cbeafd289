import { describe, expect, it } from "vitest"
import { type RouterOptions, readOptions } from "./read-options.ts"

const alone = (more: RouterOptions = {}) =>
  readOptions({ listen: "127.0.0.1:0", to: ["127.0.0.1:9001"], ...more })

const poolsOf = (to: readonly string[]) =>
  alone({ to }).routes?.[0]?.pools.map(({ pool, weight, instances }) => [
    pool,
    weight,
    instances.map(({ address }) => address).join(" "),
  ])

describe("the flags of a router that runs alone", () => {
  it("make one pool of all who answer when none has a weight", () => {
    expect(poolsOf(["127.0.0.1:9001", "127.0.0.1:9002"])).toEqual([
      ["to", 100, "127.0.0.1:9001 127.0.0.1:9002"],
    ])
  })

  it("make a pool of each when one has a weight, in proportion; the heaviest is the stable one", () => {
    const to = ["127.0.0.1:9001=3", "127.0.0.1:9002"]
    expect(poolsOf(to)).toEqual([
      ["to-0", 75, "127.0.0.1:9001"],
      ["to-1", 25, "127.0.0.1:9002"],
    ])
    expect(alone({ to }).routes?.[0]?.stable).toBe("to-0")
  })

  it("take addresses as people write them", () => {
    expect(poolsOf([":9001"])).toEqual([["to", 100, "127.0.0.1:9001"]])
    expect(poolsOf(["http://localhost:9001/"])).toEqual([["to", 100, "localhost:9001"]])
    expect(alone({ listen: "8080" }).routes?.[0]?.listen).toBe("127.0.0.1:8080")
  })

  it("read times in seconds or with a unit, and keep time finely where one is short", () => {
    const { limits } = alone({ headerTimeout: "5", responseTimeout: "250ms", idleTimeout: "2m" })
    expect(limits).toMatchObject({ head: 5_000, answer: 250, idle: 120_000, tick: 31.25 })
  })

  it("read sizes", () => {
    expect(alone({ maxHeaderBytes: "65536", maxInFlight: "7" }).limits).toMatchObject({
      mostHead: 65_536,
      mostInFlight: 7,
    })
  })

  it("lead copies to a route of their own, which gets no users", () => {
    const routes = alone({ mirror: "127.0.0.1:9003=0.5", mirrorTimeout: "2" }).routes
    expect(routes?.map(({ route, mirror }) => [route, mirror])).toEqual([
      ["router/users", { to: "router/mirror", sample: 0.5, timeoutMs: 2_000 }],
      ["router/mirror", undefined],
    ])
  })

  it("name what holds a user on one side", () => {
    expect(alone({ sticky: "cookie=user" }).routes?.[0]?.sticky).toEqual({ by: "cookie", name: "user" })
  })

  it.each<[string, RouterOptions, RegExp]>([
    ["nobody to send to", { to: [] }, /somebody to send to/],
    ["an address that is none", { to: ["nowhere"] }, /--to nowhere is not an address/],
    ["weights that are all zero", { to: [":1=0", ":2=0"] }, /all zero/],
    ["a weight that is no number", { to: [":1=much"] }, /--to much is not a number/],
    ["a time that is none", { headerTimeout: "soon" }, /--header-timeout soon is not a time/],
    ["a size that is not whole", { maxHeaders: "1.5" }, /--max-headers 1.5 is not a whole number/],
    ["half of TLS", { cert: "a.pem" }, /both --cert FILE and --key FILE/],
    ["a sticky kind that is none", { sticky: "cookie" }, /--sticky cookie: give it none/],
    ["a dead-man switch without anybody who gives orders", { deadMan: "60" }, /--dead-man is for a router/],
    ["neither a folder nor an address", { listen: undefined } as unknown as RouterOptions, /needs --dir/],
  ])("refuse %s, and say what would do", (_, options, message) => {
    expect(() => alone(options)).toThrow(message)
  })
})
