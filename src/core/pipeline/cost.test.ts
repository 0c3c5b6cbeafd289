import { describe, expect, it } from "vitest"
import { active, newest, served } from "../../testing/core-stories.ts"
import { CoreWorld, papiPolicy, verdict } from "../../testing/core-world.ts"
import type { SurgePolicy } from "../model/policy.ts"
import { costOf } from "./cost.ts"

const minute = 60_000

/** One region of two instances, where a release serves. */
function serving(surge?: SurgePolicy): CoreWorld {
  const world = new CoreWorld()
  world.push("a1", oneRegion(surge))
  world.settle()
  return world
}

function oneRegion(surge?: SurgePolicy) {
  const [first] = papiPolicy().regions
  if (!first) throw new Error("the pipeline has no region")
  const region = { ...first, name: "prod", size: 2, tests: [] }
  return papiPolicy({ tests: [], regions: [region], ...(surge ? { surge } : {}) })
}

const prod = (world: CoreWorld) => {
  const found = world.state.regions.find(({ name }) => name === "prod")
  if (!found) throw new Error("there is no prod")
  return found
}
const spent = (world: CoreWorld, commit: string) => costOf(world.state, commit, world.now).spent
const running = (world: CoreWorld) => world.runningOn("local").length
const released = (world: CoreWorld) => world.events.filter(({ event }) => event.type === "pools-released")

describe("what a release costs beside what serves", () => {
  it("a first release doubles nothing and costs nothing", () => {
    const world = serving()
    world.now += 10 * minute
    expect(costOf(world.state, "a1".padEnd(40, "0"), world.now)).toEqual({ spent: 0, extra: 0 })
  })

  it("is the time of every instance of the second pool: the new one's at first, then that of the one that is kept", () => {
    const world = serving()
    const commit = world.push("b2", oneRegion())
    const before = world.now
    world.settle()
    expect([newest(world, "prod").phase.name, running(world)]).toEqual(["succeeded", 4])
    // Two more than serve, all of the time since they were asked for.
    const began = world.events.find(({ event }) => event.type === "instance-requested" && event.pool === 2)
    expect(spent(world, commit)).toBe(2 * (world.now - (began?.at ?? before)))
    const soFar = spent(world, commit)
    world.now += 10 * minute
    expect(spent(world, commit) - soFar).toBe(20 * minute)
  })

  it("is the old release's no more, once the next one keeps it: who made a pool unneeded pays for it", () => {
    const world = serving()
    const second = world.push("b2", oneRegion())
    world.settle()
    const third = world.push("c3", oneRegion())
    world.settle()
    expect(newest(world, "prod").release).toBe(third)
    const before = spent(world, second)
    world.now += 10 * minute
    expect(spent(world, second)).toBe(before)
    expect(costOf(world.state, third, world.now).extra).toBe(2)
  })

  it("of what is taken back ends with its last instance", () => {
    const world = served()
    const commit = world.push("b2", papiPolicy(), ["server.js"])
    for (let i = 0; i < 10 && active(world, "prod3")?.phase.name !== "shifting"; i++) {
      world.settle()
      world.approveAll()
      world.look([verdict("ok", true)])
    }
    world.settle()
    world.look([verdict("worse", true)])
    world.settle()
    const bad = newest(world, "prod3")
    expect([bad.phase.name, bad.cost?.extra]).toEqual(["rolled-back", 0])
    expect(bad.cost?.spent).toBeGreaterThan(0)
    expect(spent(world, commit)).toBeGreaterThan(0)
  })

  it("ends the keeping of the old pool when its budget is spent, at the moment that was foreseen", () => {
    const world = serving()
    world.push("b2", oneRegion({ budget: 60 * minute, then: "release" }))
    world.settle()
    expect([prod(world).kept, running(world)]).toEqual([[1], 4])
    world.now += 25 * minute
    world.turns(2)
    expect(prod(world).kept).toEqual([1])
    world.now += 5 * minute
    world.settle()
    expect([prod(world).kept, running(world)]).toEqual([[], 2])
    expect(released(world).map(({ because }) => because)).toEqual([
      expect.stringMatching(
        /^6\d(\.\d)? of 60 instance minutes beside what serves are spent: there is no instant way back/,
      ),
    ])
    expect(prod(world).stable).toBe(2)
  })

  it("asks a person before the next region when its budget is spent, and says why", () => {
    const surge = { budget: 1_000, then: "ask" } as const
    const world = served(papiPolicy({ surge }))
    world.push("b2", papiPolicy({ surge }))
    world.settle()
    const next = active(world, "sandbox2")
    expect(next?.phase).toMatchObject({
      name: "queued",
      gate: { because: expect.stringMatching(/instance minutes beside what serves are spent: a person/) },
    })
    world.approveAll()
    world.settle()
    expect(active(world, "sandbox2")?.phase.name).not.toBe("queued")
  })

  it("what is kept makes room for a new pool before anything waits: there is a way back without it", () => {
    const world = serving()
    world.push("b2", oneRegion())
    world.settle()
    world.push("c3", oneRegion())
    const full = () => ({ instances: { total: 4, free: 4 - running(world) } })
    for (let i = 0; i < 20; i++) {
      world.limits = { room: { servers: { local: full() }, memoryOf: {}, refused: {} } }
      world.turn()
    }
    expect(newest(world, "prod")).toMatchObject({
      release: "c3".padEnd(40, "0"),
      phase: { name: "succeeded" },
    })
    expect(released(world).map(({ because }) => because)).toEqual([
      expect.stringContaining("a new pool needs their room"),
    ])
    expect(running(world)).toBe(4)
  })
})
