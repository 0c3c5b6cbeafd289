import { describe, expect, it } from "vitest"
import { active, atProd3, newest, served } from "../../testing/core-stories.ts"
import { CoreWorld, papiPolicy, verdict } from "../../testing/core-world.ts"

const ok = verdict("ok", true)
const worse = verdict("worse", true)

/** A first release at 100 % of prod3, with nothing to go back to. */
function firstInProd3(): CoreWorld {
  const world = new CoreWorld()
  world.push("a1", papiPolicy())
  for (let i = 0; i < 20 && active(world, "prod3")?.phase.name !== "baking"; i++) {
    world.settle()
    world.approveAll()
    if (active(world, "prod3")?.phase.name !== "baking") world.look([ok])
  }
  return world
}

describe("a release that is bad with nothing to go back to", () => {
  it("is accepted by a person, so that the fix can follow", () => {
    const world = firstInProd3()
    world.look([worse])
    const held = newest(world, "prod3")
    expect(held.phase).toMatchObject({ name: "holding", hold: { why: "halted", proposal: "advance" } })
    world.give({ type: "unlock", lock: 1, reason: "the fix is on its way", preventive: undefined })
    expect(
      world.give({ type: "approve", rollout: held.number, reason: "nothing better is there", bound: {} })
        .refused,
    ).toBeUndefined()
    expect(newest(world, "prod3").phase.name).toBe("succeeded")
    const fix = world.push("b2", papiPolicy())
    world.allTheWay()
    const prod3 = world.state.regions.find(({ name }) => name === "prod3")
    expect(world.state.rollouts[prod3?.stable ?? 0]?.release).toBe(fix)
  })

  it("is locked once: a person who unlocks is not locked out again by the next look", () => {
    const world = firstInProd3()
    world.look([worse])
    world.give({ type: "unlock", lock: 1, reason: "I am on it", preventive: undefined })
    world.look([worse])
    expect(world.state.locks).toEqual([])
  })
})

describe("a bake", () => {
  it("does not end while a failing probe gives the traffic back to the old pool", () => {
    const { world, rollout } = atProd3()
    for (let i = 0; i < 5 && rollout().phase.name !== "baking"; i++) {
      world.look([ok])
      world.settle()
    }
    expect(rollout().phase.name).toBe("baking")
    const { number } = rollout()
    const mine = world.state.regions
      .flatMap((region) => Object.values(region.instances))
      .filter(({ pool }) => pool === number)
    for (const { id } of mine) world.fail(id)
    world.turns(2)
    world.look([ok])
    expect(world.state.rollouts[number]?.phase.name).toBe("baking")
    for (const { id } of mine) world.recover(id)
    world.turns(3)
    world.look([ok])
    expect(world.state.rollouts[number]?.phase.name).toBe("succeeded")
  })
})

describe("an instance", () => {
  it("that was lost before anybody saw it healthy is replaced when its time is over", () => {
    const { world, rollout } = atProd3()
    const prod3 = () =>
      Object.values(world.state.regions.find(({ name }) => name === "prod3")?.instances ?? {})
    const { number } = rollout()
    const first = prod3().find(({ pool }) => pool === number)?.id ?? ""
    world.faults = { neverHealthy: new Set([rollout().release]) }
    world.crash(first)
    world.turns(3)
    const lost = prod3().find(({ pool }) => pool === number)?.id ?? ""
    expect(lost).not.toBe(first)
    world.faults = {}
    world.turns(2)
    expect(prod3().find(({ id }) => id === lost)?.state).toBe("starting")
    world.turn(300_000)
    world.turns(3)
    const fresh = prod3().find(({ pool }) => pool === number)
    expect(fresh).toMatchObject({ state: "ready" })
    expect(fresh?.id).not.toBe(lost)
  })
})

describe("a test", () => {
  it("waits while no instance can answer it", () => {
    const world = new CoreWorld()
    world.push("a1", papiPolicy())
    const testing = () =>
      world.wants().some((effect) => effect.kind === "run-job" && effect.job.kind === "test")
    for (let i = 0; i < 20 && !testing(); i++) world.turn()
    expect(testing()).toBe(true)
    const [id = ""] = world.state.regions.flatMap((region) => Object.keys(region.instances))
    world.fail(id)
    world.observe()
    expect(testing()).toBe(false)
    world.recover(id)
    world.observe()
    expect(testing()).toBe(true)
  })
})

describe("under the kill switch", () => {
  it("nothing that waits begins by itself; it begins when the switch is off", () => {
    const world = new CoreWorld()
    world.limits = { killed: "the kill switch is set" }
    world.push("a1", papiPolicy())
    world.settle()
    expect(world.state.commits[0]?.state.name).toBe("waiting")
    world.limits = {}
    world.turn()
    world.limits = { killed: "the kill switch is set" }
    world.settle()
    expect(newest(world, "sandbox1").phase.name).toBe("queued")
    world.limits = {}
    world.turn()
    expect(newest(world, "sandbox1").phase.name).toBe("provisioning")
  })
})

describe("a lock", () => {
  it("seed 26356: that comes before a region with nothing to mirror is waited for, not decided on for ever", () => {
    const world = new CoreWorld()
    world.push("a1", papiPolicy())
    for (let i = 0; i < 20 && newestIn(world, "sandbox2")?.phase.name !== "verifying"; i++) world.turn()
    expect(newestIn(world, "sandbox2")?.phase.name).toBe("verifying")
    world.give({ type: "lock", region: undefined, reason: "wait" })
    world.turns(5)
    expect(newestIn(world, "sandbox2")?.phase.name).toBe("verifying")
    world.give({ type: "unlock", lock: world.state.locks[0]?.id ?? 0, reason: "go", preventive: undefined })
    world.settle()
    expect(newestIn(world, "sandbox2")?.phase.name).toBe("succeeded")
  })
})

describe("a way back", () => {
  it("is not over because a look was answered by nobody: a table may have arrived of which nothing was heard", () => {
    const world = served()
    world.push("b2", papiPolicy())
    for (let i = 0; i < 200 && active(world, "prod3")?.phase.name !== "shifting"; i++) {
      world.turn()
      world.approveAll()
      world.look([ok])
    }
    const { number } = newest(world, "prod3")
    const phase = () => world.state.rollouts[number]?.phase.name
    expect(phase()).toBe("shifting")
    // The raise is ordered now, and its answer is lost.
    world.give({ type: "rollback", rollout: number, reason: "wrong prices" })
    world.now += 1_100
    world.give({ type: "observed", servers: [], standings: [], letGo: [] }, "immunity")
    expect(phase()).toBe("aborting")
    world.settle()
    expect(phase()).toBe("rolled-back")
  })
})

const newestIn = (world: CoreWorld, region: string) =>
  Object.values(world.state.rollouts).findLast((rollout) => rollout.region === region)
