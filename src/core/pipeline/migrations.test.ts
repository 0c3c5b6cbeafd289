import { describe, expect, it } from "vitest"
import { active, newest } from "../../testing/core-stories.ts"
import { CoreWorld, papiPolicy, verdict } from "../../testing/core-world.ts"
import type { MigrationPolicy, Policy } from "../model/policy.ts"

const hour = 3_600_000
const declared: MigrationPolicy = {
  paths: ["db/**"],
  contract: ["db/*_contract_*"],
  window: hour,
  shared: ["postgres: both read and write the same orders"],
}
const policy = (more: Partial<Policy> = {}): Policy => papiPolicy({ migrations: declared, ...more })
const add = "db/1_add_column.sql"
const drop = "db/2_contract_drop_column.sql"

const region = (world: CoreWorld, name: string) => world.state.regions.find((known) => known.name === name)
const serving = (world: CoreWorld, name: string) =>
  world.state.rollouts[region(world, name)?.stable ?? 0]?.release
const later = (world: CoreWorld, forMs: number) => {
  world.now += forMs
  world.settle()
}

/** Two releases have served everywhere, so each region keeps the first one warm. */
function twice(pushed: Policy = policy()): CoreWorld {
  const world = new CoreWorld()
  world.push("a1", pushed)
  world.allTheWay()
  world.push("b2", pushed, [add])
  world.allTheWay()
  return world
}

describe("migrations", () => {
  it("mark the rollouts that carry them; a first release meets nobody to share with", () => {
    const world = new CoreWorld()
    world.push("a1", policy(), [add])
    world.allTheWay()
    expect(newest(world, "prod4").migrations).toBeUndefined()
    world.push("b2", policy(), ["server.js", add])
    world.allTheWay()
    expect(newest(world, "prod4").migrations).toEqual({ expand: [add], contract: [] })
    world.push("c3", policy())
    world.allTheWay()
    expect(newest(world, "prod4").migrations).toBeUndefined()
  })

  it("of commits that were passed over, or refused for their file, count with the release that carries them", () => {
    const world = twice()
    world.give({ type: "pause", reason: "look" })
    world.push("c3", policy(), [drop])
    world.give({
      type: "commit-seen",
      commit: "d4".padEnd(40, "0"),
      subject: "broken",
      author: "Ana",
      email: "ana@example.com",
      committedAt: world.now,
      changed: ["db/3_contract_more.sql"],
      config: { problems: ["immunity.yaml:1:1 error"] },
    })
    world.push("e5", policy())
    world.give({ type: "resume", rollout: undefined, reason: "on" })
    world.settle()
    expect(newest(world, "sandbox1").migrations?.contract).toEqual([drop, "db/3_contract_more.sql"])
  })
})

describe("a contract step", () => {
  it("waits while an older release is kept for a swap back, says so once, and gives it up when the window is over", () => {
    const world = twice()
    const kept = region(world, "prod3")?.kept[0] ?? 0
    expect(world.state.rollouts[kept]?.release).toContain("a1")
    const commit = world.push("c3", policy(), [drop])
    world.settle()
    const told = world.events.filter(({ event }) => event.type === "contract-held")
    expect(told.map(({ because }) => because)).toEqual([
      `its contract step (${drop}) takes away what a100000 may need, and it is kept at sandbox1 for a swap back`,
    ])
    expect(active(world, "sandbox1")).toMatchObject({ release: commit, phase: { name: "queued" } })
    const before = world.events.length
    later(world, hour / 2)
    expect(world.events.length).toBe(before)
    later(world, hour)
    world.allTheWay()
    expect(serving(world, "prod4")).toBe(commit)
  })

  it("begins only when nothing of the older release runs any more, in any region that shares its data", () => {
    const world = twice()
    const commit = world.push("c3", policy(), [drop])
    later(world, 2 * hour)
    for (let i = 0; i < 60 && newest(world, "prod3").release !== commit; i++) {
      world.turn()
      world.look([verdict("ok", true)])
    }
    world.approveAll()
    for (let i = 0; i < 40 && newest(world, "prod3").phase.name !== "provisioning"; i++) world.turn()
    expect(newest(world, "prod3")).toMatchObject({ release: commit, phase: { name: "provisioning" } })
    const left = ["prod3", "prod4"].flatMap((name) =>
      Object.values(region(world, name)?.instances ?? {}).filter(({ release }) => release.startsWith("a1")),
    )
    expect(left).toEqual([])
  })

  it("without a window waits until a person gives the kept pool up", () => {
    const { window: _, ...endless } = declared
    const world = twice(policy({ migrations: endless }))
    const commit = world.push("c3", policy({ migrations: endless }), [drop])
    later(world, 1_000 * hour)
    expect(active(world, "sandbox1")).toMatchObject({ release: commit, phase: { name: "queued" } })
    expect(
      world.give({ type: "release-pools", region: "sandbox1", reason: "b2 is fine" }).refused,
    ).toBeUndefined()
    world.settle()
    expect(serving(world, "sandbox1")).toBe(commit)
    expect(world.give({ type: "release-pools", region: "sandbox2", reason: " " }).refused?.code).toBe(
      "reason-missing",
    )
  })

  it("waits for a production region that still serves an older release", () => {
    const world = new CoreWorld()
    world.push("a1", policy())
    world.allTheWay()
    world.push("b2", policy(), [add])
    for (let i = 0; i < 200 && !serving(world, "prod3")?.startsWith("b2"); i++) {
      world.turn()
      world.approveAll()
      world.look([verdict("ok", true)])
    }
    world.give({ type: "lock", region: "prod4", reason: "prod4 is being looked at" })
    world.push("c3", policy(), [drop])
    world.now += 2 * hour
    for (let i = 0; i < 40; i++) {
      world.settle()
      world.approveAll()
      world.look([verdict("ok", true)])
    }
    expect(newest(world, "prod3")).toMatchObject({
      phase: { name: "queued" },
      contractTold: expect.stringContaining("which serves prod4"),
    })
  })

  it("is taken back while it rolls out: the old release serves beside it", () => {
    const world = twice()
    const commit = world.push("c3", policy(), [drop])
    world.now += 2 * hour
    for (let i = 0; i < 100 && active(world, "prod3")?.phase.name !== "shifting"; i++) {
      world.turn()
      world.approveAll()
      if (active(world, "prod3")?.phase.name !== "shifting") world.look([verdict("ok", true)])
    }
    world.settle()
    world.look([verdict("worse", true)])
    world.settle()
    expect(newest(world, "prod3")).toMatchObject({ release: commit, phase: { name: "rolled-back" } })
    expect(serving(world, "prod3")).toContain("b2")
  })

  it("that has succeeded is not swapped back, by a rollback or by an older commit, except under an override", () => {
    const world = twice()
    world.push("c3", policy(), [drop])
    world.now += 2 * hour
    world.allTheWay()
    const { number } = newest(world, "prod4")
    const back = () => world.give({ type: "rollback", rollout: number, reason: "it feels slow" })
    expect(back().refused).toMatchObject({
      code: "not-allowed",
      message: expect.stringContaining(`took away what b200000 may need (contract step ${drop})`),
    })
    expect(world.give({ type: "deploy", commit: "b2", reason: "the old one" }).refused?.message).toContain(
      drop,
    )
    world.give({
      type: "override",
      region: "prod4",
      duration: hour,
      reason: "b2 can live without the column",
    })
    expect(back().refused).toBeUndefined()
    world.settle()
    expect(serving(world, "prod4")).toContain("b2")
  })
})
