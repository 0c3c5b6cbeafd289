import { describe, expect, it } from "vitest"
import { atProd3, served } from "../../testing/core-stories.ts"
import { CoreWorld, papiPolicy } from "../../testing/core-world.ts"

const remove = (world: CoreWorld) => world.give({ type: "remove-app", reason: "nobody uses it" })
const add = (world: CoreWorld) =>
  world.give({ type: "add-app", source: { url: "/srv/git/papi.git", branch: "main" } })
const instances = (world: CoreWorld) =>
  world.state.regions.flatMap((region) => Object.values(region.instances))
const types = (world: CoreWorld) => world.events.map(({ event }) => event.type)
const routes = (world: CoreWorld) =>
  world.wants().flatMap((effect) => (effect.kind === "set-routes" ? effect.routes : []))
const orders = (world: CoreWorld, kind: string) => world.wants().filter((effect) => effect.kind === kind)

describe("an application that a person removes", () => {
  it("loses its routes at once, and its instances by the usual handshake", () => {
    const world = served()
    const before = instances(world).length
    expect(remove(world).refused).toBeUndefined()
    expect(routes(world)).toEqual([])
    expect(orders(world, "start-instance")).toEqual([])
    expect(orders(world, "release-instance")).toHaveLength(before)
    expect(orders(world, "stop-instance")).toEqual([])
    world.settle()
    expect(instances(world)).toEqual([])
    expect(world.state.removed).toMatchObject({ by: "Mira", reason: "nobody uses it" })
    expect(types(world).at(-1)).toBe("app-cleared")
    expect(orders(world, "stop-instance")).toEqual([])
  })

  it("is not removed while a rollout moves by itself, and takes what waits or holds with it", () => {
    const { world, rollout } = atProd3()
    const { number } = rollout()
    expect(remove(world).refused).toMatchObject({
      code: "wrong-phase",
      message: `rollout ${number} is under way at prod3 (shifting): let it end, or halt it (immunity halt papi#${number}), and then remove papi`,
    })
    world.give({ type: "halt", rollout: number, reason: "stop" })
    expect(rollout().phase.name).toBe("holding")
    expect(remove(world).refused).toBeUndefined()
    expect(world.state.rollouts[number]?.phase).toMatchObject({ name: "cancelled", by: "Mira" })
    world.settle()
    expect(types(world).at(-1)).toBe("app-cleared")
  })

  it("is told to wait, and not to halt, where its rollout goes back already", () => {
    const { world, rollout } = atProd3()
    const { number } = rollout()
    world.give({ type: "rollback", rollout: number, reason: "it is slow" })
    expect(rollout().phase.name).toBe("aborting")
    expect(remove(world).refused?.message).toBe(
      `rollout ${number} is under way at prod3 (aborting): let it end, and then remove papi`,
    )
  })

  it("is not removed while the kill switch would keep everything running", () => {
    const world = served()
    world.limits = { killed: "the kill switch is set: nothing is changed" }
    expect(remove(world).refused).toMatchObject({
      code: "wrong-phase",
      message: expect.stringMatching(
        /^the kill switch is set: .*; lift it first \(immunity kill-switch lift --reason WHY\)$/,
      ),
    })
    world.limits = {}
    expect(remove(world).refused).toBeUndefined()
  })

  it("takes no orders and no commits any more, and says who removed it and what to do", () => {
    const world = served()
    remove(world)
    expect(remove(world).refused).toMatchObject({
      code: "removed",
      message: expect.stringMatching(/is being removed by Mira \(nobody uses it\); \d+ of its instances/),
    })
    expect(add(world).refused).toMatchObject({
      code: "wrong-phase",
      message: expect.stringMatching(/not gone yet; wait until it is gone: immunity app remove papi/),
    })
    world.settle()
    world.push("c3", papiPolicy())
    expect(world.state.commits).toEqual([])
    expect(world.give({ type: "pause", reason: "lunch" }).refused).toEqual({
      code: "removed",
      message:
        "papi was removed by Mira: nobody uses it. Add it again with: immunity app add URL --name papi",
    })
  })

  it("may be added again, and then begins anew under numbers and names that were never used", () => {
    const world = served()
    world.give({
      type: "configure",
      reason: "a colour",
      changes: [{ key: "COLOUR", region: undefined, value: { plain: "red" } }],
    })
    world.allTheWay()
    world.give({ type: "drill", region: undefined, reason: "the audit" })
    world.settle()
    world.give({ type: "lock", region: undefined, reason: "wait" })
    const used = new Set(
      world.events.flatMap(({ event }) => (event.type === "instance-requested" ? [event.instance] : [])),
    )
    const last = world.state.nextRollout
    remove(world)
    world.settle()
    expect(add(world).refused).toBeUndefined()
    expect(world.state).toMatchObject({ locks: [], commits: [], configuration: { common: {} } })
    expect(world.state.removed).toBeUndefined()
    world.push("a1", papiPolicy())
    world.allTheWay()
    expect(
      Object.keys(world.state.rollouts)
        .map(Number)
        .every((number) => number >= last),
    ).toBe(true)
    expect(instances(world).every(({ state }) => state === "ready")).toBe(true)
    world.give({ type: "drill", region: undefined, reason: "the audit" })
    world.settle()
    const requested = world.events.flatMap(({ event }) =>
      event.type === "instance-requested" ? [event.instance] : [],
    )
    expect(new Set(requested).size).toBe(requested.length)
    expect(requested.length).toBeGreaterThan(used.size)
  })

  it("is gone also while a server that ran some of it does not answer", () => {
    const { regions } = papiPolicy()
    const twoServers = regions.map((region) => ({ ...region, servers: ["local", "s2"] }))
    const world = served(papiPolicy({ regions: twoServers }))
    const away = instances(world).filter(({ server }) => server === "s2")
    expect(away.length).toBeGreaterThan(0)
    world.silent.set("s2", 60_000)
    world.settle()
    remove(world)
    world.settle()
    expect(world.state.removed?.clearedAt).toBeDefined()
    expect(world.wants()).toEqual([{ kind: "set-routes", routes: [] }])
  })

  it("that was never built is gone at once", () => {
    const world = new CoreWorld()
    add(world)
    expect(remove(world).events.map(({ type }) => type)).toEqual(["app-removed", "app-cleared"])
  })
})
