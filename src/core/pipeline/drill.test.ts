import { describe, expect, it } from "vitest"
import { served } from "../../testing/core-stories.ts"
import { type CoreWorld, papiPolicy } from "../../testing/core-world.ts"
import type { DrillPolicy } from "../model/policy.ts"

const hour = 3_600_000
const day = 24 * hour
const drilling = (drill: DrillPolicy) => served(papiPolicy({ drill }))
const order = (world: CoreWorld, region?: string) =>
  world.give({ type: "drill", region, reason: "the yearly audit" }).refused
const placed = (world: CoreWorld) =>
  world.state.drill ? Object.values(world.state.drill.place.instances) : []
const results = (world: CoreWorld) => (world.state.drills ?? []).map(({ region, kind }) => [region, kind])
const later = (world: CoreWorld, forMs: number) => {
  world.now += forMs
  world.settle()
}
/** The weights and instances that users have. */
const users = (world: CoreWorld) =>
  world.state.regions.map(({ weights, instances }) => ({ weights, instances: Object.keys(instances) }))

describe("a drill", () => {
  it("rebuilds a region from its images at an address of its own, tests it, says how long it took, and ends it all", () => {
    const world = served()
    const before = users(world)
    expect(order(world, "prod4")).toBeUndefined()
    expect(placed(world).map(({ id }) => id)).toEqual(["papi-prod4-d1-1", "papi-prod4-d1-2"])
    const started = world.wants().flatMap((e) => (e.kind === "start-instance" ? [e.instance] : []))
    const rebuilt = started.find(({ id }) => id === "papi-prod4-d1-1")
    expect(rebuilt).toMatchObject({ region: "prod4", run: { env: { IMMUNITY_DRILL: "1" } } })
    expect(started.filter(({ run }) => run.env.IMMUNITY_DRILL !== undefined)).toHaveLength(2)
    world.turn()
    const routes = world.wants().flatMap((effect) => (effect.kind === "set-routes" ? effect.routes : []))
    expect(routes.find(({ route }) => route === "papi/prod4/drill")).toMatchObject({
      listen: "127.0.0.1:0",
      pools: [{ weight: 100, instances: [{ id: "papi-prod4-d1-1" }, { id: "papi-prod4-d1-2" }] }],
    })
    for (const { route, pools } of routes.filter(({ route }) => route !== "papi/prod4/drill"))
      expect([route, pools.flatMap(({ instances }) => instances.map(({ id }) => id))]).not.toContain("-d1-")
    world.settle()
    expect(world.state.drill).toBeUndefined()
    expect(world.state.drills?.[0]).toMatchObject({
      number: 1,
      region: "prod4",
      kind: "passed",
      by: "Mira",
      rebuiltMs: expect.any(Number),
    })
    expect(
      world
        .runningOn("local")
        .map(({ instance }) => instance)
        .filter((id) => id.includes("-d1-")),
    ).toEqual([])
    expect(users(world)).toEqual(before)
    expect(Object.values(world.state.rollouts).map(({ crashes }) => crashes)).toEqual([0, 0, 0, 0])
  })

  it("fails when its tests fail, when its instances crash, or when they never get healthy", () => {
    const tests = served()
    const release = tests.state.commits[0]?.id ?? ""
    tests.faults = { failingTests: new Set([release]) }
    order(tests)
    tests.settle()
    const crashes = served()
    order(crashes)
    for (let i = 0; i < 6; i++) {
      for (const { id } of placed(crashes)) crashes.crash(id)
      crashes.observe()
      crashes.turn(0)
    }
    crashes.settle()
    const sick = served()
    sick.faults = { neverHealthy: new Set([release]) }
    order(sick)
    later(sick, 10_000)
    expect(sick.state.drill?.result).toBeUndefined()
    later(sick, 300_000)
    for (const world of [tests, crashes, sick]) {
      expect(results(world)).toEqual([["prod3", "failed"]])
      expect(world.state.drill).toBeUndefined()
      expect(world.state.locks).toEqual([])
    }
  })

  it("never holds a rollout up: it gives way at once and says nothing of the region", () => {
    const [with_, without] = [served(), served()]
    order(with_, "prod4")
    for (const world of [with_, without]) world.push("b2", papiPolicy())
    for (let i = 0; i < 3; i++) {
      with_.turn()
      without.turn()
    }
    expect(results(with_)).toEqual([["prod4", "gave-way"]])
    for (const world of [with_, without]) world.allTheWay()
    const climbed = (world: CoreWorld) =>
      world.events.flatMap(({ event, at }) => (event.type === "rollout-succeeded" ? [at] : []))
    expect(climbed(with_)).toEqual(climbed(without))
    expect(with_.state.drill).toBeUndefined()
  })

  it("gives its room back before a rollout that lacks it waits or gives up what is kept, and before it is refused itself", () => {
    const room = { servers: { local: { instances: { free: 0, total: 8 } } }, memoryOf: {}, refused: {} }
    const world = served()
    order(world, "prod4")
    world.limits = { room }
    world.push("b2", papiPolicy())
    for (let i = 0; i < 4; i++) world.turn()
    expect(results(world)).toEqual([["prod4", "gave-way"]])
    expect(world.state.drill).toBeUndefined()

    const refused = served()
    order(refused, "prod4")
    refused.limits = { room: { ...room, refused: { "papi-prod4-d1-1": "there is room for 8 instances" } } }
    refused.turn()
    expect(refused.state.drills?.[0]).toMatchObject({
      kind: "gave-way",
      because: expect.stringContaining("capacity"),
    })
  })

  it("gives way to a crash, a lock, a lost server and the kill switch as well", () => {
    const disturb: readonly ((world: CoreWorld) => unknown)[] = [
      (world) => world.crash(Object.keys(world.state.regions[3]?.instances ?? {})[0] ?? ""),
      (world) => world.give({ type: "lock", region: undefined, reason: "look" }),
      (world) => world.drained.set("local", "repair"),
      (world) => Object.assign(world, { limits: { killed: "the kill switch is set" } }),
    ]
    for (const happens of disturb) {
      const world = served()
      order(world, "prod4")
      happens(world)
      world.observe()
      expect(results(world)).toEqual([["prod4", "gave-way"]])
    }
  })

  it("is refused, with the reason, while something is under way, and where nothing serves", () => {
    const world = served()
    expect(order(world, "prod9")?.code).toBe("unknown")
    expect(order(world)).toBeUndefined()
    expect(order(world, "prod4")?.message).toBe("drill 1 at prod3 is under way")
    world.settle()
    world.give({ type: "lock", region: undefined, reason: "look" })
    expect(order(world)?.message).toBe("no drill now: it is locked")
  })

  it("happens by itself in each production region once in the time that is given, one at a time", () => {
    const world = drilling({ every: 7 * day })
    for (let i = 0; i < 6; i++) later(world, hour)
    expect(results(world)).toEqual([
      ["prod4", "passed"],
      ["prod3", "passed"],
    ])
    for (let i = 0; i < 6; i++) later(world, day)
    expect(results(world)).toHaveLength(2)
    for (let i = 0; i < 3; i++) later(world, day)
    expect(results(world)).toHaveLength(4)
  })

  it("is tried again within the hour when it gave way, and only in its hours", () => {
    const days = [0, 1, 2, 3, 4, 5, 6]
    const world = drilling({ every: 7 * day, between: { from: 540, until: 600, days, zone: "UTC" } })
    for (let i = 0; i < 96; i++) later(world, hour / 2)
    const begun = world.events.flatMap(({ event, at }) =>
      event.type === "drill-started" ? [(at % day) / 60_000] : [],
    )
    expect(begun.length).toBe(2)
    expect(begun.every((minute) => minute >= 540 && minute < 600)).toBe(true)
  })
})
