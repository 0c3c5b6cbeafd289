import { describe, expect, it } from "vitest"
import { active, atProd3, newest, served, weights } from "../../testing/core-stories.ts"
import { CoreWorld, papiPolicy, verdict } from "../../testing/core-world.ts"
import { evolve } from "./evolve.ts"

const ok = verdict("ok", true)
const worse = verdict("worse", true)

const region = (world: CoreWorld, name: string) => world.state.regions.find((known) => known.name === name)
const stableRelease = (world: CoreWorld, name: string) =>
  world.state.rollouts[region(world, name)?.stable ?? 0]?.release

describe("versions and intents", () => {
  it("E1: a new version that arrives mid-rollout waits in line, and the newest wins in the end", () => {
    const { world, rollout, commit } = atProd3()
    world.push("c3", papiPolicy())
    const newestCommit = world.push("d4", papiPolicy())
    world.settle()
    expect(rollout()).toMatchObject({ release: commit, phase: { name: "shifting" } })
    world.allTheWay()
    expect(stableRelease(world, "prod3")).toBe(newestCommit)
  })

  it("E2: a third version never takes instances from under the users of the second", () => {
    const { world, rollout } = atProd3()
    const { number } = rollout()
    world.push("c3", papiPolicy())
    world.look([worse])
    for (let i = 0; i < 12; i++) {
      const ended = world
        .wants()
        .flatMap((effect) => (effect.kind === "stop-instance" ? [effect.instance] : []))
      if ((weights(world, "prod3")?.[number] ?? 0) > 0)
        expect(ended.filter((id) => id.includes(`-r${number}-`))).toEqual([])
      world.turn()
    }
    expect(newest(world, "prod3").phase.name).toBe("rolled-back")
  })

  it("E3: a newer version that arrives during a rollback waits: the rollback ends and its lock stays", () => {
    const { world, rollout } = atProd3()
    const { number } = rollout()
    world.look([worse])
    world.push("c3", papiPolicy())
    world.settle()
    expect(world.state.rollouts[number]?.phase.name).toBe("rolled-back")
    expect(world.state.locks).toHaveLength(1)
    expect(newest(world, "sandbox1").phase.name).toBe("queued")
  })

  it("E4: who asks for what serves while another release is on its way takes that one back", () => {
    const { world, rollout } = atProd3()
    const { number } = rollout()
    const old = stableRelease(world, "prod3")
    expect(world.give({ type: "deploy", commit: old, reason: "back to the old one" }).refused).toBeUndefined()
    world.settle()
    expect(world.state.rollouts[number]).toMatchObject({ phase: { name: "rolled-back" } })
    expect(stableRelease(world, "prod3")).toBe(old)
    expect(weights(world, "prod3")?.[number]).toBeUndefined()
  })

  it("E5: a policy that is edited mid-rollout meets the next rollout, never the one under way", () => {
    const { world, rollout } = atProd3()
    const before = rollout().policy
    world.push("c3", papiPolicy({ rollback: { irreversible: ["everything"], scope: "region" } }))
    world.settle()
    expect(rollout().policy).toEqual(before)
    expect(newest(world, "sandbox1").policy.rollback.scope).toBe("region")
  })

  it("E6: the same version after its failure is blocked; a retry with a reason is attempt 2", () => {
    const { world, rollout, commit } = atProd3()
    const { number } = rollout()
    world.look([worse])
    world.settle()
    expect(world.give({ type: "deploy", commit, reason: "again" }).refused?.code).toBe("quarantined")
    world.give({ type: "unlock", lock: 1, reason: "understood", preventive: undefined })
    expect(world.give({ type: "retry", rollout: number, reason: " " }).refused?.code).toBe("reason-missing")
    expect(
      world.give({ type: "retry", rollout: number, reason: "it was the network" }).refused,
    ).toBeUndefined()
    expect(newest(world, "prod3")).toMatchObject({ release: commit, attempt: 2 })
  })

  it("E7: a release is the digest that was built once; an approval of another one is refused", () => {
    const world = served()
    world.push("b2", papiPolicy())
    for (let i = 0; i < 3; i++) {
      world.settle()
      world.look([ok])
    }
    world.settle()
    const { number } = newest(world, "prod3")
    const refused = world.give({
      type: "approve",
      rollout: number,
      reason: "fine",
      bound: { digest: "sha256:another" },
    })
    expect(refused.refused?.code).toBe("stale")
  })

  it("E8: a rollback needs no artifact: what it goes back to runs already", () => {
    const { world, rollout } = atProd3()
    const { from, number } = rollout()
    world.faults = { nothingStarts: true }
    const before = world.events.length
    world.look([worse])
    world.settle()
    expect(world.state.rollouts[number]?.phase.name).toBe("rolled-back")
    expect(weights(world, "prod3")).toEqual({ [from ?? 0]: 100 })
    expect(world.events.slice(before).map(({ event }) => event.type)).not.toContain("instance-requested")
  })

  it("E9: an artifact that cannot be had for a while is waited for, and nobody is blamed", () => {
    const world = served()
    const commit = world.push("b2", papiPolicy())
    world.turn()
    world.faults = { nothingStarts: true }
    world.turns(20)
    expect(newest(world, "sandbox1").phase.name).toBe("provisioning")
    expect(world.state.quarantine).toEqual({})
    world.faults = {}
    world.allTheWay()
    expect(stableRelease(world, "prod3")).toBe(commit)
  })

  it("E10: the first deployment ever is watched without a baseline, and says that there is nothing to go back to", () => {
    const world = new CoreWorld()
    world.push("a1", papiPolicy())
    for (let i = 0; i < 20 && active(world, "prod3")?.phase.name !== "baking"; i++) {
      world.settle()
      world.approveAll()
      if (active(world, "prod3")?.phase.name !== "baking") world.look([ok])
    }
    expect(world.measures()[0]).toMatchObject({ stage: "baking", control: undefined })
    world.look([worse])
    const { phase } = newest(world, "prod3")
    expect(phase.name === "holding" && phase.hold.because).toContain("no older release to go back to")
  })

  it("E11: a rollback whose target is bad itself keeps what serves, locks, and asks a person", () => {
    const { world, rollout } = atProd3()
    const old = world.state.rollouts[rollout().from ?? 0]
    const because = "a hole was found"
    const event = {
      type: "quarantined",
      release: old?.release ?? "",
      rollout: old?.number ?? 0,
      because,
    } as const
    world.state = evolve(world.state, { at: world.now, by: "immunity", because, event })
    const before = weights(world, "prod3")
    world.look([worse])
    world.settle()
    expect(rollout().phase).toMatchObject({ name: "holding", hold: { why: "halted", weight: "frozen" } })
    expect(weights(world, "prod3")).toEqual(before)
    expect(world.state.locks).toHaveLength(1)
  })

  it("E12: a rollback that fails freezes the weights, says so, and does not loop", () => {
    const { world, rollout } = atProd3()
    const { number, from } = rollout()
    const old = Object.values(region(world, "prod3")?.instances ?? {}).filter(({ pool }) => pool === from)
    world.faults = { neverHealthy: new Set([world.state.rollouts[from ?? 0]?.release ?? ""]) }
    for (const { id } of old) world.crash(id)
    world.turn()
    world.look([worse])
    world.turns(3)
    world.turn(400_000)
    expect(world.state.rollouts[number]?.phase.name).toBe("rollback-failed")
    const rollouts = Object.keys(world.state.rollouts).length
    world.turns(20)
    expect(Object.keys(world.state.rollouts)).toHaveLength(rollouts)
  })

  it("E13: a rollback is never rolled back by itself; a person may try the release again", () => {
    const { world, rollout } = atProd3()
    const { number } = rollout()
    world.look([worse])
    const going = rollout().phase
    world.look([worse])
    expect(rollout().phase).toEqual(going)
    world.settle()
    world.give({ type: "unlock", lock: 1, reason: "understood", preventive: undefined })
    expect(world.give({ type: "retry", rollout: number, reason: "fixed outside" }).refused).toBeUndefined()
  })

  it("E14: an old pool that crashes after a rollback is replaced one at a time and starts no rollouts", () => {
    const { world } = atProd3()
    world.look([worse])
    world.settle()
    const rollouts = Object.keys(world.state.rollouts).length
    const instances = () => Object.values(region(world, "prod3")?.instances ?? {})
    for (let i = 0; i < 8; i++) {
      for (const { id } of instances()) world.crash(id)
      world.turn(400)
      expect(instances().filter(({ retired }) => !retired).length).toBeLessThanOrEqual(1)
    }
    expect(Object.keys(world.state.rollouts)).toHaveLength(rollouts)
  })

  it("E15: what runs after a rollback runs with its own configuration, not with the newest", () => {
    const policy = papiPolicy()
    const { world, rollout } = atProd3({ ...policy, run: { ...policy.run, start: "node newer.js" } })
    const from = rollout().from ?? 0
    world.look([worse])
    world.settle()
    const [id = ""] = Object.keys(region(world, "prod3")?.instances ?? {})
    world.crash(id)
    world.turns(2)
    const specs = world
      .wants()
      .flatMap((effect) => (effect.kind === "start-instance" ? [effect.instance] : []))
    const fresh = specs.find((spec) => spec.region === "prod3" && spec.id.includes(`-r${from}-`))
    expect(fresh?.run.start).toBe("node server.js")
  })

  it("E16: what cannot be undone is halted where it is, and a person who accepts it opens the way for a fix", () => {
    const { world, rollout } = atProd3(papiPolicy(), ["db/migrate/1.sql"])
    world.look([worse])
    expect(rollout().phase).toMatchObject({ name: "holding", hold: { why: "halted", weight: "frozen" } })
    world.give({ type: "unlock", lock: 1, reason: "we fix forward", preventive: undefined })
    for (let i = 0; i < 20 && newest(world, "prod3").phase.name !== "succeeded"; i++) {
      world.give({ type: "approve", rollout: rollout().number, reason: "accepted", bound: {} })
      world.settle()
      if (rollout().phase.name === "baking") world.look([ok])
    }
    expect(newest(world, "prod3").phase.name).toBe("succeeded")
    const fix = world.push("c3", papiPolicy())
    world.allTheWay()
    expect(stableRelease(world, "prod3")).toBe(fix)
  })

  it("E17: what cannot be undone starts only where nobody may go back to what was before the release that serves", () => {
    const world = served()
    for (const id of ["b2", "c3"]) {
      world.push(id, papiPolicy())
      world.allTheWay()
    }
    expect(region(world, "prod3")?.kept).toHaveLength(1)
    const contract = world.push("d4", papiPolicy(), ["db/migrate/2-drop-column.sql"])
    for (let i = 0; i < 20 && active(world, "prod3")?.startedAt === undefined; i++) {
      expect(active(world, "prod3")?.phase.name ?? "queued").toBe("queued")
      world.settle()
      world.approveAll()
      world.look([ok])
    }
    expect(active(world, "prod3")?.release).toBe(contract)
    expect(region(world, "prod3")?.kept).toEqual([])
  })

  it("E18: a hotfix does not wait for a canary: that goes back unaccused, and the hotfix meets what serves", () => {
    const { world, rollout, commit } = atProd3()
    const { number } = rollout()
    const old = stableRelease(world, "prod3")
    const hotfix = world.push("c3", papiPolicy())
    world.settle()
    expect(world.give({ type: "deploy", commit: hotfix, reason: "", hotfix: true }).refused?.code).toBe(
      "reason-missing",
    )
    const given = world.give({ type: "deploy", commit: hotfix, reason: "the login is down", hotfix: true })
    expect(given.refused).toBeUndefined()
    world.settle()
    expect(world.state.rollouts[number]?.phase).toMatchObject({ name: "cancelled" })
    expect(world.state.locks).toEqual([])
    expect(world.state.quarantine[commit]).toBeUndefined()
    world.allTheWay()
    expect(stableRelease(world, "prod3")).toBe(hotfix)
    const met = Object.values(world.state.rollouts).find(
      ({ release, region: name }) => release === hotfix && name === "prod3",
    )
    expect(world.state.rollouts[met?.from ?? 0]?.release).toBe(old)
  })

  it("E18: a hotfix does not take back what cannot be undone", () => {
    const { world, rollout } = atProd3(papiPolicy(), ["db/migrate/1.sql"])
    const hotfix = world.push("c3", papiPolicy())
    const { refused } = world.give({ type: "deploy", commit: hotfix, reason: "now", hotfix: true })
    expect(refused).toMatchObject({ code: "not-allowed" })
    expect(rollout().phase.name).toBe("shifting")
  })

  it("E20: what a dry run saw long ago is not carried out when automation is switched on", () => {
    const dry = papiPolicy({
      autonomy: { advance: "auto", halt: "dry-run", rollback: "dry-run", regions: {} },
    })
    const { world, rollout } = atProd3(dry)
    world.look([worse])
    expect(rollout().phase).toMatchObject({
      name: "holding",
      hold: { why: "proposal", proposal: "rollback" },
    })
    world.push("c3", papiPolicy())
    world.turns(50)
    expect(rollout().phase.name).toBe("holding")
    world.give({ type: "resume", rollout: rollout().number, reason: "it was the network" })
    world.settle()
    world.look([ok])
    world.settle()
    expect(world.events.map(({ event }) => event.type)).not.toContain("abort-started")
  })
})
