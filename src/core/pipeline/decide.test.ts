import { describe, expect, it } from "vitest"
import { active, atProd3, newest, served, weights } from "../../testing/core-stories.ts"
import { CoreWorld, papiPolicy, verdict } from "../../testing/core-world.ts"

const ok = verdict("ok", true)
const worse = verdict("worse", true)

describe("a good commit", () => {
  it("climbs every region in order and serves in all of them", () => {
    const { state } = served()
    expect(state.regions.map((region) => state.rollouts[region.stable ?? 0]?.phase.name)).toEqual(
      Array(4).fill("succeeded"),
    )
  })

  it("shares the route with the old one before it gets everything, and the old pool is kept", () => {
    const { world, rollout } = atProd3()
    expect(weights(world, "prod3")).toEqual({ [rollout().number]: 50, [rollout().from ?? 0]: 50 })
    world.allTheWay()
    const region = world.state.regions.find((known) => known.name === "prod3")
    expect(region?.kept).toHaveLength(1)
    expect(Object.values(region?.instances ?? {}).filter((instance) => !instance.retired)).toHaveLength(2)
  })

  it("is overtaken by a newer one while it waits", () => {
    const world = new CoreWorld()
    world.push("a1", papiPolicy())
    const second = world.push("b2", papiPolicy())
    const third = world.push("c3", papiPolicy())
    const states = Object.fromEntries(world.state.commits.map((commit) => [commit.id, commit.state.name]))
    expect(states[second]).toBe("superseded")
    expect(states[third]).toBe("waiting")
  })
})

describe("a release that is worse", () => {
  it("is taken back, blocked and locked in one decision", () => {
    const { world, commit } = atProd3()
    const events = world.look([worse]).map((event) => event.type)
    expect(events.slice(0, 4)).toEqual(["looked", "abort-started", "quarantined", "locked"])
    expect(world.state.quarantine[commit]).toBeDefined()
    world.settle()
    expect(newest(world, "prod3").phase.name).toBe("rolled-back")
    expect(weights(world, "prod3")).toEqual({ [newest(world, "prod3").from ?? 0]: 100 })
  })

  it("keeps its instances until the router acknowledged weight 0, and ends them only when they are released", () => {
    const { world, rollout } = atProd3()
    const pool = rollout().number
    world.look([worse])
    const mine = () =>
      Object.values(world.state.regions.find((known) => known.name === "prod3")?.instances ?? {}).filter(
        (i) => i.pool === pool,
      )
    expect(mine().every((instance) => !instance.retired)).toBe(true)
    expect(world.wants().some((effect) => effect.kind === "stop-instance")).toBe(false)
    world.settle()
    expect(mine()).toEqual([])
  })

  it("is only halted, at weight 0, when the metric is not critical", () => {
    const { world, rollout } = atProd3()
    world.look([ok, verdict("worse", false)])
    world.settle()
    expect(rollout().phase).toMatchObject({ name: "holding", hold: { why: "halted" } })
    expect(weights(world, "prod3")?.[rollout().number]).toBeUndefined()
    expect(world.state.locks).toHaveLength(1)
  })

  it("is held when the control is bad as well: the world is sick", () => {
    const { world, rollout } = atProd3()
    world.look([verdict("worse", true, { controlAlsoBad: true })])
    expect(rollout().phase).toMatchObject({ name: "holding", hold: { why: "sick-world", weight: "frozen" } })
    expect(world.state.locks).toEqual([])
  })

  it("is halted and not rolled back when it cannot be taken back", () => {
    const { world, rollout } = atProd3(papiPolicy(), ["db/migrate/1.sql"])
    world.look([worse])
    expect(rollout().phase).toMatchObject({ name: "holding", hold: { why: "halted", weight: "frozen" } })
    expect(world.state.locks).toHaveLength(1)
  })

  it("takes the other production regions on that release back with it", () => {
    const { world, commit } = atProd3()
    for (let i = 0; i < 20 && active(world, "prod4")?.phase.name !== "shifting"; i++) {
      world.look([ok])
      world.settle()
    }
    world.look([worse])
    world.settle()
    for (const region of ["prod3", "prod4"]) {
      const stable = world.state.regions.find((known) => known.name === region)?.stable
      expect(world.state.rollouts[stable ?? 0]?.release, region).not.toBe(commit)
    }
  })

  it("before any user met it fails without a lock, and is tried again only by a person", () => {
    const world = served()
    const commit = "b2".padEnd(40, "0")
    world.faults = { failingTests: new Set([commit]) }
    world.push("b2", papiPolicy())
    world.settle()
    expect(newest(world, "sandbox1").phase.name).toBe("failed")
    expect(world.state.locks).toEqual([])
    world.settle()
    const failed = newest(world, "sandbox1")
    world.faults = {}
    expect(
      world.give({ type: "retry", rollout: failed.number, reason: "the test was flaky" }).refused,
    ).toBeUndefined()
    expect(newest(world, "sandbox1")).toMatchObject({ attempt: 2 })
  })

  it("that never gets healthy is a named outcome at the deadline", () => {
    const world = served()
    world.faults = { neverHealthy: new Set(["b2".padEnd(40, "0")]) }
    world.push("b2", papiPolicy())
    world.settle()
    world.turn(400_000)
    world.settle()
    expect(newest(world, "sandbox1").phase).toMatchObject({
      name: "failed",
      because: "0 of 1 instances were healthy before the deadline",
    })
  })
})

describe("what cannot be seen", () => {
  it("is held with its weight frozen, unlocked, and goes on when it can be seen again", () => {
    const { world, rollout } = atProd3()
    world.look([verdict("nodata", true)], 0, true)
    world.settle()
    expect(rollout().phase).toMatchObject({ name: "holding", hold: { why: "blind" } })
    expect(weights(world, "prod3")?.[rollout().number]).toBe(50)
    expect(world.state.locks).toEqual([])
    world.look([ok], 1_000)
    expect(rollout().phase.name).toBe("shifting")
  })

  it("for too long gives the traffic back and blames nobody", () => {
    const { world, rollout } = atProd3()
    world.look([verdict("nodata", true)], 0, true)
    world.turn(700_000)
    world.settle()
    expect(rollout().phase).toMatchObject({ name: "holding", hold: { weight: "zero" } })
    expect(weights(world, "prod3")?.[rollout().number]).toBeUndefined()
    expect(world.state.locks).toEqual([])
    expect(world.state.quarantine).toEqual({})
  })

  it("is watched longer when it is only thin, then a person is asked", () => {
    const { world, rollout } = atProd3()
    world.look([verdict("unsure", true)], 300_000)
    expect(rollout().phase).toMatchObject({ name: "shifting", window: { extensions: 1 } })
    world.look([verdict("unsure", true)], 600_000)
    expect(rollout().phase).toMatchObject({ name: "holding", hold: { why: "unsure", proposal: "advance" } })
  })
})

describe("people", () => {
  it("approve what they saw and nothing else", () => {
    const world = served()
    world.push("b2", papiPolicy())
    for (let i = 0; i < 3; i++) {
      world.settle()
      world.look([ok])
    }
    world.settle()
    const waiting = newest(world, "prod3")
    expect(waiting.phase.name).toBe("queued")
    const stale = world.give({
      type: "approve",
      rollout: waiting.number,
      reason: "fine",
      bound: { evidence: "older" },
    })
    expect(stale.refused?.code).toBe("stale")
  })

  it("unlock with a reason only; a lock stops what is new and never what goes back", () => {
    const { world, rollout } = atProd3()
    world.give({ type: "lock", region: undefined, reason: "an incident" })
    world.look([ok])
    expect(rollout().phase).toMatchObject({ name: "holding", hold: { why: "locked" } })
    expect(world.give({ type: "unlock", lock: 1, reason: " ", preventive: undefined }).refused?.code).toBe(
      "reason-missing",
    )
    expect(
      world.give({ type: "rollback", rollout: rollout().number, reason: "to be sure" }).refused,
    ).toBeUndefined()
    world.settle()
    expect(newest(world, "prod3").phase.name).toBe("rolled-back")
    world.push("c3", papiPolicy())
    world.settle()
    expect(newest(world, "sandbox1").phase.name).toBe("queued")
  })

  it("take a succeeded release back to the kept pool", () => {
    const { world, rollout } = atProd3()
    const { number, from } = rollout()
    world.allTheWay()
    expect(
      world.give({ type: "rollback", rollout: number, reason: "customers complain" }).refused,
    ).toBeUndefined()
    world.settle()
    expect(world.state.rollouts[number]?.phase.name).toBe("rolled-back")
    expect(world.state.regions.find((known) => known.name === "prod3")?.stable).toBe(from)
  })

  it("are asked to apply an action when autonomy is manual", () => {
    const { world, rollout } = atProd3(
      papiPolicy({ autonomy: { advance: "auto", halt: "auto", rollback: "manual", regions: {} } }),
    )
    world.look([worse])
    expect(rollout().phase).toMatchObject({ name: "holding", hold: { proposal: "rollback" } })
    world.give({ type: "approve", rollout: rollout().number, reason: "yes", bound: {} })
    world.settle()
    expect(newest(world, "prod3").phase.name).toBe("rolled-back")
  })
})

describe("instances", () => {
  it("that crash are replaced by fresh ones and counted", () => {
    const { world, rollout } = atProd3()
    const victim = Object.values(
      world.state.regions.find((known) => known.name === "prod3")?.instances ?? {},
    ).find((i) => i.pool === rollout().number)
    world.crash(victim?.id ?? "")
    world.settle()
    expect(rollout().crashes).toBe(1)
    const ids = Object.keys(world.state.regions.find((known) => known.name === "prod3")?.instances ?? {})
    expect(ids).not.toContain(victim?.id)
    expect(weights(world, "prod3")?.[rollout().number]).toBe(50)
  })

  it("that somebody modified leave only when a fresh one can serve", () => {
    const world = served()
    const prod3 = () =>
      Object.values(world.state.regions.find((known) => known.name === "prod3")?.instances ?? {})
    const victim = prod3()[0]?.id ?? ""
    world.modify(victim)
    world.observe()
    expect(prod3().find((instance) => instance.id === victim)?.retired).toBeUndefined()
    world.settle()
    expect(prod3().map((instance) => instance.id)).not.toContain(victim)
    expect(prod3()).toHaveLength(1)
  })

  it("that somebody modified are told once and stay, where the policy says so", () => {
    const world = served({ ...papiPolicy(), drift: "report" })
    const prod3 = () =>
      Object.values(world.state.regions.find((known) => known.name === "prod3")?.instances ?? {})
    const victim = prod3()[0]?.id ?? ""
    world.modify(victim)
    world.observe()
    world.settle()
    world.observe()
    expect(prod3()).toMatchObject([{ id: victim, reported: true, condemned: undefined, retired: undefined }])
    const told = world.events.map(({ event }) => event).filter(({ type }) => type === "instance-modified")
    expect(told).toMatchObject([{ instance: victim, stays: true }])
  })
})
