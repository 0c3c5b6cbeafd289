import { describe, expect, it } from "vitest"
import { CoreWorld, papiPolicy, verdict } from "../../testing/core-world.ts"
import { poolName, routeName } from "./input.ts"

const worse = verdict("worse", true)

describe("users who come first", () => {
  it("are in the new release's pool while it has a share, and in nobody's before and after", () => {
    const [first] = papiPolicy().regions
    if (!first) throw new Error("the pipeline has no region")
    const region = {
      ...first,
      name: "prod",
      tests: [],
      size: 4,
      strategy: "one-at-a-time" as const,
      sticky: { by: "cookie", name: "user" } as const,
      first: ["anna"],
      holdRequests: 200,
      compare: { to: "previous", for: 60_000, warmup: 0, minSamples: 1, extensions: 1, blindLimit: 600_000 },
    }
    const policy = papiPolicy({ tests: [], regions: [region] })
    const world = new CoreWorld()
    const route = () =>
      world
        .wants()
        .flatMap((effect) => (effect.kind === "set-routes" ? effect.routes : []))
        .find((one) => one.route === routeName("papi", "prod"))
    world.push("a1", policy)
    world.settle()
    expect(route()).toMatchObject({ first: { keys: ["anna"], pool: undefined }, holdRequests: 200 })
    world.push("b2", policy)
    const seen = new Set<string>()
    const look = () => {
      const share = route()?.pools.find(({ pool }) => pool === poolName(2))?.weight ?? 0
      expect(route()?.first?.pool).toBe(share > 0 && share < 100 ? poolName(2) : undefined)
      seen.add(share > 0 ? "shared" : "alone")
    }
    for (let i = 0; i < 15; i++) {
      world.turn()
      look()
    }
    world.look([worse])
    for (let i = 0; i < 15; i++) {
      world.turn()
      look()
    }
    expect(seen).toEqual(new Set(["alone", "shared"]))
    expect(route()?.first?.pool).toBeUndefined()
  })
})
