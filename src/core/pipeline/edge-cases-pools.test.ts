import { describe, expect, it } from "vitest"
import { active, atProd3, newest, served, weights } from "../../testing/core-stories.ts"
import { type CoreWorld, papiPolicy, verdict } from "../../testing/core-world.ts"
import { previewName, routeName } from "./input.ts"

const ok = verdict("ok", true)
const worse = verdict("worse", true)

const instances = (world: CoreWorld, name: string) =>
  Object.values(world.state.regions.find((known) => known.name === name)?.instances ?? {})

/** prod4 has another size. */
const sized = (size: number) => {
  const policy = papiPolicy()
  const regions = policy.regions.map((region) => (region.name === "prod4" ? { ...region, size } : region))
  return { ...policy, regions }
}

const stable = (world: CoreWorld) => world.state.regions.find(({ name }) => name === "prod4")?.stable

/** What the router is told about a region. */
const routed = (world: CoreWorld, region: string) => {
  const [table] = world.wants().filter((effect) => effect.kind === "set-routes")
  return table?.routes.find(({ route }) => route === routeName("papi", region))?.pools
}

/** The second release stands at half of prod4, which has two instances. */
function atProd4(): CoreWorld {
  const { world } = atProd3()
  for (let i = 0; i < 40 && active(world, "prod4")?.phase.name !== "shifting"; i++) {
    world.look([ok])
    world.settle()
    world.approveAll()
  }
  world.settle()
  return world
}

describe("pools and traffic", () => {
  it("E28: an instance that somebody changed by hand is replaced by a fresh one, and it is said what was changed", () => {
    const world = served()
    const [victim] = instances(world, "prod3")
    world.modify(victim?.id ?? "")
    world.observe()
    expect(instances(world, "prod3").find(({ id }) => id === victim?.id)?.condemned).toContain("papi.json")
    world.settle()
    expect(instances(world, "prod3").map(({ id }) => id)).not.toContain(victim?.id)
  })

  it("what refuses the router's connections counts like a failing probe, though its probe passes", () => {
    const seen = (refusing: boolean) => {
      const { world, rollout } = atProd3()
      const { number } = rollout()
      const ids = instances(world, "prod3").flatMap(({ id, pool }) => (pool === number ? [id] : []))
      world.give(
        {
          type: "looked",
          rollout: number,
          stage: "shifting",
          verdicts: [verdict("nodata", true)],
          sourceBroken: false,
          observed: 0,
          evidence: "e",
          ...(refusing ? { refusing: ids } : {}),
        },
        "immunity",
      )
      return world.state.rollouts[number]?.phase.name
    }
    expect(seen(false)).toBe("holding")
    expect(["aborting", "rolling-back", "rolled-back"]).toContain(seen(true))
  })

  it("a canary that falls silent is held while its probes pass, and rolled back as soon as most of its instances fail them", () => {
    const { world, rollout } = atProd3()
    const { number } = rollout()
    const phase = () => world.state.rollouts[number]?.phase.name ?? ""
    const silent = [verdict("nodata", true)]
    world.look(silent)
    expect(phase()).toBe("holding")
    world.settle()
    expect(phase()).toBe("holding")
    for (const { id, pool } of instances(world, "prod3")) if (pool === number) world.fail(id)
    world.observe()
    world.look(silent)
    expect(["aborting", "rolling-back", "rolled-back"]).toContain(phase())
  })

  it("E34: an instance that dies while it is drained is no crash of the release", () => {
    const { world, rollout } = atProd3()
    const { number } = rollout()
    world.look([worse])
    world.turn()
    for (const { id, pool } of instances(world, "prod3")) if (pool === number) world.crash(id)
    world.settle()
    expect(world.state.rollouts[number]).toMatchObject({ phase: { name: "rolled-back" }, crashes: 0 })
  })

  it("E35: an instance that is lost with its server is replaced, and is no crash of its release", () => {
    const { world, rollout } = atProd3()
    const { number } = rollout()
    for (let i = 0; i < 4; i++) {
      for (const { id, pool } of instances(world, "prod3")) if (pool === number) world.lose(id)
      world.observe()
      world.turns(4)
    }
    expect(world.events.map(({ event }) => event.type)).toContain("instance-crashed")
    expect(world.state.rollouts[number]).toMatchObject({ crashes: 0, phase: { name: "shifting" } })
    expect(weights(world, "prod3")?.[number]).toBe(50)
  })

  it("E36: an old instance that dies mid-rollout is backfilled, and the new share does not grow for it", () => {
    const world = atProd4()
    const rollout = active(world, "prod4")
    const share = weights(world, "prod4")?.[rollout?.number ?? 0]
    const old = instances(world, "prod4").find(({ pool }) => pool === rollout?.from)
    world.crash(old?.id ?? "")
    for (let i = 0; i < 4; i++) {
      world.turn()
      expect(weights(world, "prod4")?.[rollout?.number ?? 0]).toBe(share)
    }
    expect(instances(world, "prod4").filter(({ pool }) => pool === rollout?.from)).toHaveLength(2)
  })

  it("E36: an old pool that dies while users are on their way back to it is given nobody before it lives again", () => {
    const world = atProd4()
    const rollout = active(world, "prod4")
    for (const { id, pool } of instances(world, "prod4")) if (pool === rollout?.from) world.crash(id)
    world.look([worse])
    world.observe()
    expect(active(world, "prod4")?.phase.name).toBe("aborting")
    expect(routed(world, "prod4")?.filter(({ weight }) => weight > 0)).toMatchObject([
      { pool: `r${rollout?.number}`, weight: 100, instances: [{}] },
    ])
    world.settle()
    expect(routed(world, "prod4")).toMatchObject([
      { pool: `r${rollout?.from}`, weight: 100, instances: [{}, {}] },
    ])
  })

  it("E37: an instance that flaps loses its share at once, and no step is taken on it", () => {
    const { world, rollout } = atProd3()
    const { number } = rollout()
    const [mine] = instances(world, "prod3").filter(({ pool }) => pool === number)
    world.fail(mine?.id ?? "")
    world.turns(2)
    expect(weights(world, "prod3")?.[number]).toBeUndefined()
    const before = rollout().phase
    world.recover(mine?.id ?? "")
    world.turns(2)
    expect(weights(world, "prod3")?.[number]).toBe(50)
    expect(rollout().phase).toMatchObject({ name: before.name, step: 0 })
  })

  it("E37: an instance that flaps keeps its users where nobody else could take them", () => {
    const world = served()
    const [only] = instances(world, "prod3")
    const before = routed(world, "prod3")
    world.fail(only?.id ?? "")
    world.turns(2)
    expect(instances(world, "prod3")).toMatchObject([{ id: only?.id, state: "unready" }])
    expect(routed(world, "prod3")).toEqual(before)
    expect(routed(world, "prod3")).toMatchObject([{ weight: 100, instances: [{ id: only?.id }] }])
    world.crash(only?.id ?? "")
    world.observe()
    expect(routed(world, "prod3")).toEqual([])
  })

  it("E38: what gets bad after everybody has it still goes back: it is watched at 100 %", () => {
    const { world, rollout } = atProd3()
    for (let i = 0; i < 5 && rollout().phase.name !== "baking"; i++) {
      world.look([ok])
      world.settle()
    }
    world.look([worse])
    expect(rollout().phase.name).toBe("aborting")
  })

  it("E39: where there is no room for a second pool the first keeps everybody, and nothing is locked", () => {
    const world = served()
    const before = weights(world, "sandbox1")
    world.push("b2", papiPolicy())
    world.turn()
    world.faults = { nothingStarts: true }
    for (let i = 0; i < 400 && newest(world, "sandbox1").phase.name !== "failed"; i++) {
      world.turn()
      expect(weights(world, "sandbox1")).toEqual(before)
    }
    expect(newest(world, "sandbox1").phase).toMatchObject({ name: "failed" })
    expect(world.state.locks).toEqual([])
  })

  it("E40: a pool of which only a part came up gets no more than that part, and its time is limited", () => {
    const world = atProd4()
    const rollout = active(world, "prod4")
    const number = rollout?.number ?? 0
    world.faults = { neverHealthy: new Set([rollout?.release ?? ""]) }
    world.look([ok])
    world.turns(4)
    expect(active(world, "prod4")?.phase).toMatchObject({ name: "provisioning", step: 1 })
    expect(weights(world, "prod4")?.[number]).toBe(50)
    world.turn(400_000)
    world.settle()
    expect(world.state.rollouts[number]?.phase.name).toBe("rolled-back")
  })

  it("E41: a size that is changed mid-rollout meets the next rollout; both pools keep theirs", () => {
    const world = atProd4()
    const count = () => instances(world, "prod4").filter(({ retired }) => !retired).length
    const before = count()
    world.push("c3", sized(3))
    world.turns(30)
    expect(active(world, "prod4")?.policy.regions.find(({ name }) => name === "prod4")?.size).toBe(2)
    expect(count()).toBe(before)
    world.allTheWay()
    expect(
      instances(world, "prod4").filter(({ retired, pool }) => !retired && pool === stable(world)),
    ).toHaveLength(3)
  })

  it("E42: users go back to an old pool only as far as it has grown to the size of what it takes over", () => {
    const world = served()
    world.push("b2", sized(4))
    for (let i = 0; i < 60 && active(world, "prod4")?.phase.name !== "baking"; i++) {
      world.look([ok])
      world.settle()
      world.approveAll()
    }
    const rollout = active(world, "prod4")
    expect(rollout?.phase.name).toBe("baking")
    world.look([worse])
    world.observe()
    const share = () => weights(world, "prod4")?.[rollout?.from ?? 0] ?? 0
    for (let i = 0; i < 12; i++) {
      const ready = instances(world, "prod4").filter(
        ({ pool, state }) => pool === rollout?.from && state === "ready",
      ).length
      if (share() > 50) expect(ready).toBeGreaterThanOrEqual(2)
      world.turn()
    }
    expect(instances(world, "prod4").filter(({ pool }) => pool === rollout?.from)).toHaveLength(4)
    expect(world.state.rollouts[rollout?.number ?? 0]?.phase.name).toBe("rolled-back")
  })

  it("E44: a weight that was ordered counts only when the router reports it", () => {
    const { world } = atProd3()
    world.look([ok])
    const rollout = active(world, "prod3")
    for (let i = 0; i < 5 && active(world, "prod3")?.phase.name !== "shifting"; i++) world.observe()
    const stale = {
      [routeName("papi", "prod3")]: { [`r${rollout?.from}`]: 50, [`r${rollout?.number}`]: 50 },
    }
    const seen = instances(world, "prod3").map(({ id, state, address }) => ({
      instance: id,
      state,
      address,
      exit: undefined,
      differences: [],
    }))
    const servers = [{ server: "local", instances: seen, routes: stale, released: [] }]
    for (let i = 0; i < 5; i++) world.give({ type: "observed", servers }, "immunity")
    const { phase } = active(world, "prod3") ?? {}
    if (phase?.name === "shifting") expect(phase.reachedAt).toBeUndefined()
    expect(phase?.name).not.toBe("baking")
  })

  it("E45: a weight that only some of the routers took is no step reached, and none that is away", () => {
    const { world, rollout } = atProd3()
    const { number, from = 0 } = rollout()
    const seen = instances(world, "prod3").map(({ id, address }) => ({
      instance: id,
      state: "ready" as const,
      address,
      exit: undefined,
      differences: [],
    }))
    const says = (mine: number, theirs: number) =>
      world.give(
        {
          type: "observed",
          servers: [mine, theirs].map((share, i) => ({
            server: i === 0 ? "local" : "second",
            instances: seen,
            routes: { "papi/prod3": { [`r${from}`]: 100 - share, [`r${number}`]: share } },
            released: [],
          })),
        },
        "immunity",
      )
    world.give({ type: "rollback", rollout: number, reason: "back" })
    says(0, 50)
    expect(rollout().phase.name).toBe("aborting")
    says(50, 0)
    expect(rollout().phase.name).toBe("aborting")
    says(0, 0)
    expect(rollout().phase.name).toBe("rolling-back")
  })

  it("E45: a step is reached when every router has it", () => {
    const world = served()
    world.push("b2", papiPolicy())
    for (let i = 0; i < 10 && active(world, "prod3")?.phase.name !== "provisioning"; i++) {
      world.settle()
      world.approveAll()
      world.look([ok])
    }
    const rollout = () => active(world, "prod3")
    for (let i = 0; i < 20 && rollout()?.phase.name !== "shifting"; i++) world.turn()
    const { number = 0, from = 0 } = rollout() ?? {}
    const half = (theirs: number) =>
      [50, theirs].map((share, i) => ({
        server: i === 0 ? "elsewhere" : "second",
        instances: [],
        routes: { "papi/prod3": { [`r${from}`]: 100 - share, [`r${number}`]: share } },
        released: [],
      }))
    world.give({ type: "observed", servers: half(0) }, "immunity")
    expect(rollout()?.phase).toMatchObject({ name: "shifting", reachedAt: undefined })
    world.give({ type: "observed", servers: half(50) }, "immunity")
    expect(rollout()?.phase).toMatchObject({ name: "shifting", reachedAt: world.now })
  })

  it("E49: a region never has more than its two pools, the kept ones, and what is on its way out: a shared database can be made for that", () => {
    const world = served()
    let most = 0
    for (const id of ["b2", "c3", "d4"]) {
      world.push(id, papiPolicy())
      for (let i = 0; i < 120; i++) {
        world.turn()
        if (i % 4 === 0) world.look([ok])
        world.approveAll()
        most = Math.max(most, instances(world, "prod4").filter(({ retired }) => !retired).length)
      }
    }
    expect(most).toBeGreaterThan(2)
    expect(most).toBeLessThanOrEqual(2 * (2 + papiPolicy().run.keep))
  })

  it("E52: the last instance that can serve is never taken away, not even one that was tampered with", () => {
    const world = served()
    const release = world.state.commits.at(-1)?.id ?? ""
    world.faults = { neverHealthy: new Set([release]) }
    const [only] = instances(world, "prod3")
    world.modify(only?.id ?? "")
    world.turns(20)
    const now = instances(world, "prod3").find(({ id }) => id === only?.id)
    expect(now).toMatchObject({ state: "ready", retired: undefined })
    expect(weights(world, "prod3")).toEqual({ [only?.pool ?? 0]: 100 })
  })

  it("E53: when the second region fails, the first goes back with it", () => {
    const world = atProd4()
    const release = active(world, "prod4")?.release
    world.look([worse])
    world.settle()
    for (const name of ["prod3", "prod4"]) {
      const stable = world.state.regions.find((known) => known.name === name)?.stable
      expect(world.state.rollouts[stable ?? 0]?.release, name).not.toBe(release)
    }
  })

  it("E50: what is only mirrored is read on a route that no user reaches", () => {
    const world = served()
    world.push("b2", papiPolicy())
    for (let i = 0; i < 12 && active(world, "sandbox2")?.phase.name !== "mirroring"; i++) world.turn()
    expect(active(world, "sandbox2")?.phase.name).toBe("mirroring")
    const routes = world.wants().flatMap((effect) => (effect.kind === "set-routes" ? effect.routes : []))
    const source = routes.find(({ route }) => route === routeName("papi", "prod3"))
    expect(source?.mirror?.to).toBe(previewName("papi", "sandbox2"))
    expect(routes.find(({ route }) => route === source?.mirror?.to)?.listen).toBe("127.0.0.1:0")
  })
})

describe("evidence and time", () => {
  it("E57: hours without a control plane pass no bake: only what was watched counts", () => {
    const { world, rollout } = atProd3()
    for (let i = 0; i < 5 && rollout().phase.name !== "baking"; i++) {
      world.look([ok])
      world.settle()
    }
    const { number } = rollout()
    world.turn(4 * 3_600_000)
    world.turns(3)
    expect(world.state.rollouts[number]?.phase.name).toBe("baking")
    world.look([ok], 10_000)
    expect(world.state.rollouts[number]?.phase.name).toBe("baking")
    world.look([ok], 60_000)
    expect(world.state.rollouts[number]?.phase.name).toBe("succeeded")
  })

  it("E59: an outage of the monitoring holds and blames nobody", () => {
    const { world, rollout } = atProd3()
    world.look([verdict("nodata", true)], 0, true)
    expect(rollout().phase).toMatchObject({ name: "holding", hold: { why: "blind", weight: "frozen" } })
    expect(world.state.locks).toEqual([])
    expect(world.state.quarantine).toEqual({})
  })

  it("E61: too little traffic is watched longer and then asks a person; it never passes and never fails", () => {
    const { world, rollout } = atProd3()
    world.look([verdict("unsure", true)], 300_000)
    expect(rollout().phase).toMatchObject({ name: "shifting", window: { extensions: 1 } })
    world.look([verdict("unsure", true)], 600_000)
    expect(rollout().phase).toMatchObject({ name: "holding", hold: { why: "unsure", proposal: "advance" } })
    expect(world.state.locks).toEqual([])
  })

  it("E62: when the control is bad as well the world is sick: hold, no blame, and on when it is well", () => {
    const { world, rollout } = atProd3()
    world.look([verdict("worse", true, { controlAlsoBad: true })])
    expect(rollout().phase).toMatchObject({ name: "holding", hold: { why: "sick-world" } })
    expect(world.state.quarantine).toEqual({})
    world.look([ok], 1_000)
    expect(rollout().phase.name).toBe("shifting")
  })

  it("E64: the warm-up of a pool is not judged", () => {
    const plain = papiPolicy()
    const regions = plain.regions.map((region) =>
      region.compare ? { ...region, compare: { ...region.compare, warmup: 30_000 } } : region,
    )
    const { world, rollout } = atProd3({ ...plain, regions })
    const { phase } = rollout()
    const reached = phase.name === "shifting" ? (phase.reachedAt ?? 0) : 0
    expect(world.measures()[0]?.judgeFrom).toBe(reached + 30_000)
  })
})
