import { describe, expect, it } from "vitest"
import { active, newest, served } from "../../testing/core-stories.ts"
import type { CoreWorld } from "../../testing/core-world.ts"
import { papiPolicy, verdict } from "../../testing/core-world.ts"
import type { Capacity } from "../model/capacity.ts"

const MB = 1024 ** 2

const roomOf = (local: Capacity, more: Partial<NonNullable<CoreWorld["limits"]["room"]>> = {}) => ({
  room: { servers: { local }, memoryOf: {}, refused: {}, ...more },
})
const instances = (free: number) => roomOf({ instances: { total: 9, free } })
const told = (world: CoreWorld, type: string) => world.events.filter(({ event }) => event.type === type)
const poolOf = (world: CoreWorld, number: number) =>
  world.state.regions
    .flatMap((region) => Object.values(region.instances))
    .filter(({ pool }) => pool === number)

/** Instances that are asked for now are refused, as by a server that is full. */
function refuse(world: CoreWorld): void {
  const starting = world.state.regions
    .flatMap((region) => Object.values(region.instances))
    .filter(({ state, retired }) => state === "starting" && !retired)
  world.faults = { nothingStarts: true }
  world.limits = roomOf(
    {},
    { refused: Object.fromEntries(starting.map(({ id }) => [id, "the server is full"])) },
  )
}

describe("fresh instances stand beside the old ones, if there is room", () => {
  it("a rollout without room waits before anything is started, says why once, and is blamed for nothing", () => {
    const world = served()
    world.limits = instances(0)
    world.push("b2", papiPolicy())
    world.turns(400)
    const waiting = active(world, "sandbox1")
    expect(waiting?.phase).toMatchObject({ name: "queued", lacks: { of: "instances" } })
    expect(poolOf(world, waiting?.number ?? 0)).toEqual([])
    expect(told(world, "room-lacking").map(({ because }) => because)).toEqual([
      "not enough capacity: there is room for 0 more of at most 9 instances, and one fresh instance must stand beside the old ones",
    ])
    world.limits = instances(1)
    world.settle()
    expect(newest(world, "sandbox1").phase.name).toBe("succeeded")
    expect([world.state.locks, world.state.quarantine]).toEqual([[], {}])
  })

  it("the whole pool must fit, not only its first instance", () => {
    const world = served()
    world.push("b2", papiPolicy())
    for (let i = 0; i < 40 && active(world, "prod4") === undefined; i++) {
      world.limits = instances(1)
      world.settle()
      world.approveAll()
      world.look([verdict("ok", true)])
    }
    expect(active(world, "prod4")?.phase).toMatchObject({
      name: "queued",
      lacks: { because: expect.stringContaining("2 fresh instances must stand beside the old ones") },
    })
  })

  it("one fresh instance is as large as what serves now, whatever it is allowed", () => {
    const policy = papiPolicy()
    const world = served({ ...policy, run: { ...policy.run, memory: 64 * MB } })
    const serving = world.state.regions[0]?.stable ?? 0
    const memoryOf = Object.fromEntries(poolOf(world, serving).map(({ id }) => [id, 300 * MB]))
    const local = { memory: { total: 1_000 * MB, free: 200 * MB } }
    world.limits = roomOf(local, { memoryOf })
    world.push("b2", { ...policy, run: { ...policy.run, memory: 64 * MB } })
    world.turns(3)
    expect(active(world, "sandbox1")?.phase).toMatchObject({
      lacks: {
        of: "memory",
        because:
          "there is 200 MB of memory free, and one fresh instance of 300 MB, as what serves uses now, must stand beside the old ones",
      },
    })
    world.limits = roomOf(local)
    world.turns(2)
    expect(active(world, "sandbox1")?.phase.name).not.toBe("queued")
  })

  it("a server that says nothing of its room is not taken for full", () => {
    const world = served()
    world.limits = { room: { servers: {}, memoryOf: {}, refused: {} } }
    world.push("b2", papiPolicy())
    world.settle()
    expect(newest(world, "sandbox1").phase.name).toBe("succeeded")
  })

  it("edge case 39: refused half way it holds, past every deadline, and goes on when there is room", () => {
    const world = served()
    world.push("b2", papiPolicy())
    world.turn(10)
    refuse(world)
    for (let i = 0; i < 30; i++) {
      world.turn(60_000)
      refuse(world)
    }
    const held = active(world, "sandbox1")
    expect(held?.phase).toMatchObject({
      name: "holding",
      hold: { why: "no-room", because: "not enough capacity: the server is full", weight: "frozen" },
    })
    expect([held?.crashes, told(world, "instance-crashed")]).toEqual([0, []])
    world.faults = {}
    world.limits = instances(5)
    world.settle()
    expect(newest(world, "sandbox1").phase.name).toBe("succeeded")
    expect([world.state.locks, world.state.quarantine]).toEqual([[], {}])
  })

  it("a serving pool that cannot replace an instance for lack of room counts no crash of its release", () => {
    const world = served()
    const stable = world.state.regions[2]?.stable ?? 0
    const [first] = poolOf(world, stable)
    world.crash(first?.id ?? "")
    world.faults = { nothingStarts: true }
    world.turns(2)
    const crashes = world.state.rollouts[stable]?.crashes
    for (let i = 0; i < 20; i++) {
      refuse(world)
      world.turn(60_000)
    }
    expect(world.state.rollouts[stable]?.crashes).toBe(crashes)
    world.faults = {}
    world.limits = instances(5)
    world.settle()
    expect(poolOf(world, stable).filter(({ state }) => state === "ready").length).toBe(1)
  })
})
