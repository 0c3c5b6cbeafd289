import { describe, expect, it } from "vitest"
import { active } from "../../testing/core-stories.ts"
import { CoreWorld, papiPolicy, verdict } from "../../testing/core-world.ts"
import type { RegionPolicy } from "../model/policy.ts"
import { routeName } from "./input.ts"
import { lostAfter } from "./servers.ts"

const ok = verdict("ok", true)
const size = 6
const share = 2

/** One region over three servers, and a first release that serves there. */
function overThree(more: Partial<RegionPolicy> = {}): CoreWorld {
  const [first] = papiPolicy().regions
  if (!first) throw new Error("the pipeline has no region")
  const region = { ...first, name: "prod", servers: ["a", "b", "c"], size, ...more }
  const world = new CoreWorld()
  world.push("a1", papiPolicy({ tests: [], regions: [{ ...region, tests: [] }] }))
  world.settle()
  return world
}

const prod = (world: CoreWorld) => {
  const found = world.state.regions.find(({ name }) => name === "prod")
  if (!found) throw new Error("there is no prod")
  return found
}
const known = (world: CoreWorld) => Object.values(prod(world).instances)
const counts = (world: CoreWorld) => ["a", "b", "c"].map((server) => world.runningOn(server).length)
const routed = (world: CoreWorld) =>
  world
    .wants()
    .flatMap((effect) => (effect.kind === "set-routes" ? effect.routes : []))
    .find(({ route }) => route === routeName("papi", "prod"))
    ?.pools.flatMap(({ instances }) => instances.map(({ id }) => id)) ?? []
const lose = (world: CoreWorld, server: string) => {
  world.silent.set(server, lostAfter)
  world.observe()
}
const comeBack = (world: CoreWorld, server: string) => {
  world.silent.delete(server)
  world.settle()
}
const types = (world: CoreWorld) => world.events.map(({ event }) => event.type)

describe("a region over several servers", () => {
  it("spreads each pool evenly, also beside the pool that serves", () => {
    const world = overThree({ strategy: "one-at-a-time" })
    expect(counts(world)).toEqual([2, 2, 2])
    world.push("b2", { ...papiPolicy(), tests: [], regions: [{ ...prod(world).policy, size: 3 }] })
    const order: string[] = []
    for (let i = 0; i < 30; i++) {
      world.turn()
      for (const { pool, server, id } of known(world))
        if (pool === 2 && !order.includes(`${server} ${id}`)) order.push(`${server} ${id}`)
      world.look([ok])
    }
    // One server after the other.
    expect(order.map((one) => one[0])).toEqual(["a", "b", "c"])
  })

  it("a server that is silent for a moment changes nothing", () => {
    const world = overThree()
    world.silent.set("b", lostAfter - 1)
    world.turns(5)
    expect(known(world)).toHaveLength(size)
    expect(types(world)).not.toContain("server-left")
  })

  it("a lost server is unknown, not dead: its instances stay in the route until others serve, and nothing is ended there", () => {
    const world = overThree()
    const there = world.runningOn("b").map(({ instance }) => instance)
    lose(world, "b")
    expect(routed(world)).toEqual(expect.arrayContaining(there))
    expect(known(world)).toHaveLength(size + share)
    world.settle()
    expect(counts(world)).toEqual([3, 2, 3])
    expect(routed(world)).toHaveLength(size)
    for (const id of there) expect(routed(world)).not.toContain(id)
    expect(types(world)).not.toContain("instance-crashed")
  })

  it("no more than one server's share is ever started beside what is unknown, however many are lost", () => {
    const world = overThree()
    lose(world, "b")
    world.settle()
    lose(world, "c")
    world.turns(50)
    expect(known(world).length).toBeLessThanOrEqual(size + share)
    expect(counts(world).reduce((a, b) => a + b)).toBeLessThanOrEqual(size + share)
  })

  it("one that returns with its old instances is told to end them; no user ever meets them again", () => {
    const world = overThree()
    const there = world.runningOn("b").map(({ instance }) => instance)
    lose(world, "b")
    world.settle()
    world.silent.delete("b")
    world.observe()
    for (let i = 0; i < 10; i++) {
      for (const id of there) expect(routed(world)).not.toContain(id)
      world.turn()
    }
    expect(counts(world)).toEqual([3, 0, 3])
    expect(known(world)).toHaveLength(size)
  })

  it("one that returns before anything stands in for it goes on as before, and what was begun elsewhere is given up", () => {
    const world = overThree()
    const before = known(world).map(({ id }) => id)
    lose(world, "b")
    expect(known(world)).toHaveLength(size + share)
    comeBack(world, "b")
    expect(known(world).map(({ id }) => id)).toEqual(before)
    expect(counts(world)).toEqual([2, 2, 2])
  })

  it("what went with its server is replaced and is no crash of the release", () => {
    const world = overThree()
    lose(world, "b")
    world.loseAllOn("b")
    comeBack(world, "b")
    expect(counts(world).reduce((a, b) => a + b)).toBe(size)
    expect(types(world)).not.toContain("instance-crashed")
    expect(Object.values(world.state.rollouts).map(({ crashes }) => crashes)).toEqual([0])
  })

  it("a server that is lost in the middle of a rollout does not fail the release: others carry it, and it succeeds", () => {
    const world = overThree({ strategy: "canary", weights: [0.5, 1], deadline: 20_000 })
    world.push("b2", { ...papiPolicy(), tests: [], regions: [prod(world).policy] })
    world.turns(2)
    expect(active(world, "prod")).toBeDefined()
    lose(world, "c")
    for (let i = 0; i < 60; i++) {
      world.turn()
      world.look([ok])
      // Two pools, each with a share beside what is unknown.
      expect(counts(world).reduce((a, b) => a + b)).toBeLessThanOrEqual(2 * (size + share))
    }
    expect(world.state.rollouts[2]?.phase.name).toBe("succeeded")
    comeBack(world, "c")
    const pools = Map.groupBy(known(world), ({ pool }) => pool)
    expect([...pools.values()].map((pool) => pool.length)).toEqual([size, size])
    expect(counts(world).reduce((a, b) => a + b)).toBe(2 * size)
  })

  it("a rollout that comes back does not wait for what only a lost server could end", () => {
    const world = overThree({ strategy: "canary", weights: [0.5, 1] })
    world.push("b2", { ...papiPolicy(), tests: [], regions: [prod(world).policy] })
    for (let i = 0; i < 10 && active(world, "prod")?.phase.name !== "shifting"; i++) world.turn()
    lose(world, "c")
    world.give({ type: "rollback", rollout: 2, reason: "not what we wanted" })
    world.turns(20)
    expect(world.state.rollouts[2]?.phase.name).toBe("rolled-back")
    expect(counts(world)[2]).toBeGreaterThan(0)
    comeBack(world, "c")
    expect(known(world).every(({ pool }) => pool === 1)).toBe(true)
  })

  it("an instance whose server falls silent before it ever was healthy is no crash of its release, and is replaced elsewhere when that is lost", () => {
    const world = overThree({ deadline: 20_000 })
    world.crash(world.runningOn("b")[0]?.instance ?? "")
    const starting = () => known(world).find(({ state, retired }) => state === "starting" && !retired)
    for (let i = 0; i < 20 && !starting(); i++) {
      world.now += 500
      world.observe()
    }
    expect(starting()?.server).toBe("b")
    const crashes = () => types(world).filter((type) => type === "instance-crashed").length
    const before = crashes()
    // Asked for, and nobody hears whether it began; its time is over while the silence is still short.
    world.silent.set("b", lostAfter - 1)
    world.turn(25_000)
    world.turns(3)
    expect(starting()?.server).toBe("b")
    lose(world, "b")
    world.turns(20)
    const retired = world.events.filter(({ event }) => event.type === "instance-retired")
    expect(retired.map(({ because }) => because)).toContain("its server b does not answer")
    expect(crashes()).toBe(before)
    expect(counts(world)[0]).toBeGreaterThan(2)
    comeBack(world, "b")
    world.turns(20)
    expect(known(world).filter(({ retired }) => !retired)).toHaveLength(size)
    expect(crashes()).toBe(before)
  })

  it("all servers lost: nothing is started, nothing is blamed, and it goes on when one returns", () => {
    const world = overThree({ deadline: 20_000 })
    world.push("b2", { ...papiPolicy(), tests: [], regions: [prod(world).policy] })
    for (const server of ["a", "b", "c"]) lose(world, server)
    world.turns(60)
    expect(types(world)).not.toContain("abort-started")
    for (const server of ["a", "b", "c"]) world.silent.delete(server)
    world.allTheWay()
    expect(world.state.rollouts[2]?.phase.name).toBe("succeeded")
  })

  it("a drained server is emptied one share at a time, never below full strength, and used again when that ends", () => {
    const world = overThree()
    world.drained.set("b", "a new disk")
    for (let i = 0; i < 20; i++) {
      world.turn()
      expect(routed(world).length).toBeGreaterThanOrEqual(size)
      expect(counts(world).reduce((a, b) => a + b)).toBeLessThanOrEqual(size + share)
    }
    expect(counts(world)).toEqual([3, 0, 3])
    world.drained.delete("b")
    world.settle()
    world.push("b2", { ...papiPolicy(), tests: [], regions: [prod(world).policy] })
    world.allTheWay()
    expect(world.runningOn("b").length).toBeGreaterThan(0)
  })
})
