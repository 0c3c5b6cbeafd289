import { describe, expect, it } from "vitest"
import { active, atProd3, weights } from "../../testing/core-stories.ts"
import { CoreWorld, papiPolicy, verdict } from "../../testing/core-world.ts"

const worse = verdict("worse", true)
const full = { nothingNew: "the disk of the store has 3 MiB left" }
const spent = { noAutomaticRollback: "3 automatic rollbacks in ten minutes over all applications" }

describe("on a full disk", () => {
  it("no commit is built until there is room, and nobody can order otherwise", () => {
    const world = new CoreWorld()
    world.limits = full
    const commit = world.push("a1", papiPolicy())
    world.settle()
    expect(world.state.commits[0]?.state.name).toBe("waiting")
    const { refused } = world.give({ type: "deploy", commit, reason: "now" })
    expect(refused).toEqual({ code: "no-room", message: full.nothingNew })
    world.limits = {}
    world.allTheWay()
    expect(world.state.regions.every((region) => region.stable !== undefined)).toBe(true)
  })

  it("what is worse still goes back by itself", () => {
    const { world, rollout } = atProd3()
    world.limits = full
    world.look([worse])
    expect(rollout().phase.name).toBe("aborting")
  })
})

describe("when the budget of automatic rollbacks is spent", () => {
  it("the weight is frozen, nothing is locked or blocked, and a person is asked", () => {
    const { world, rollout, commit } = atProd3()
    const before = weights(world, "prod3")
    world.limits = spent
    world.look([worse])
    world.settle()
    const { phase } = rollout()
    expect(phase).toMatchObject({ name: "holding", hold: { why: "proposal", proposal: "rollback" } })
    expect(phase.name === "holding" && phase.hold.because).toContain(spent.noAutomaticRollback)
    expect(weights(world, "prod3")).toEqual(before)
    expect(world.state.locks).toEqual([])
    expect(world.state.quarantine[commit]).toBeUndefined()
  })

  it("a person can still take it back at once", () => {
    const { world, rollout } = atProd3()
    world.limits = spent
    world.look([worse])
    expect(
      world.give({ type: "rollback", rollout: rollout().number, reason: "it is bad" }).refused,
    ).toBeUndefined()
    expect(rollout().phase.name).toBe("aborting")
    expect(world.state.automaticRollbacks).toEqual([])
  })

  it("it goes back by itself as soon as the budget allows it", () => {
    const { world, rollout } = atProd3()
    world.limits = spent
    world.look([worse])
    world.limits = {}
    world.look([worse])
    expect(rollout().phase.name).toBe("aborting")
  })
})

describe("a release that cannot be taken back", () => {
  const policy = papiPolicy({ rollback: { irreversible: ["db/migrate/**"], scope: "production" } })

  it("stays where it is when a later step fails: halted, locked, fix forward", () => {
    const { world, rollout } = atProd3(policy, ["db/migrate/1.sql"])
    const { number } = rollout()
    for (let crash = 0; crash < 4; crash++) world.look([worse])
    expect(rollout().phase).toMatchObject({ name: "holding", hold: { why: "halted", weight: "frozen" } })
    expect(world.state.locks.map((lock) => lock.rollout)).toEqual([number])
    expect(world.state.automaticRollbacks).toEqual([])
  })

  it("is taken back by a person who knows better", () => {
    const { world, rollout } = atProd3(policy, ["db/migrate/1.sql"])
    world.give({ type: "rollback", rollout: rollout().number, reason: "the migration was undone by hand" })
    expect(rollout().phase.name).toBe("aborting")
  })

  it("does not go back in a region where users have it, when it fails in the next one", () => {
    const { world } = atProd3(policy, ["db/migrate/1.sql"])
    for (let i = 0; i < 40 && active(world, "prod4")?.phase.name !== "shifting"; i++) {
      world.look([verdict("ok", true)])
      world.settle()
      world.approveAll()
    }
    const prod3 = world.state.regions.find(({ name }) => name === "prod3")
    const there = world.state.rollouts[prod3?.stable ?? 0]
    world.look([worse])
    expect(there?.release).toBe(active(world, "prod4")?.release)
    expect(world.state.rollouts[there?.number ?? 0]?.phase.name).toBe("succeeded")
  })
})
