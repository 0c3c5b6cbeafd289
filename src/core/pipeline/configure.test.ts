import { describe, expect, it } from "vitest"
import { served } from "../../testing/core-stories.ts"
import { CoreWorld, papiPolicy, verdict } from "../../testing/core-world.ts"
import type { ConfigChange } from "../model/configuration.ts"
import { changesBetween, noConfiguration, reconfigured, valuesIn } from "../model/configuration.ts"

const plain = (key: string, text: string, region?: string): ConfigChange => ({
  key,
  region,
  value: { plain: text },
})
const configure = (world: CoreWorld, ...changes: readonly ConfigChange[]) =>
  world.give({ type: "configure", changes, reason: "the partner moved" })

/** The versions that the instances of a region run with now. */
const versions = (world: CoreWorld, region: string) =>
  world
    .wants()
    .flatMap((effect) =>
      effect.kind === "start-instance" && effect.instance.region === region
        ? [effect.instance.configuration?.version ?? 0]
        : [],
    )

describe("a configuration", () => {
  it("gives a region its own values before the common ones, and knows what changed", () => {
    const first = reconfigured(noConfiguration, [plain("A", "1"), plain("B", "2"), plain("A", "3", "prod3")])
    expect(valuesIn(first, "prod3")).toEqual({ A: { plain: "3" }, B: { plain: "2" } })
    expect(valuesIn(first, "sandbox1")).toEqual({ A: { plain: "1" }, B: { plain: "2" } })
    const second = reconfigured(first, [
      plain("B", "4"),
      { key: "A", region: "prod3", value: undefined },
      { key: "C", region: undefined, value: { sealed: "v1.x" } },
    ])
    expect(second.version).toBe(2)
    expect(valuesIn(second, "prod3")).toEqual({
      A: { plain: "1" },
      B: { plain: "4" },
      C: { sealed: "v1.x" },
    })
    expect(reconfigured(second, changesBetween(second, first))).toEqual({ ...first, version: 3 })
  })

  it("that changes is a release of its own, which climbs by fresh instances of the same artifact", () => {
    const world = served()
    const before = world.state.regions.map(({ stable }) => stable)
    expect(configure(world, plain("TIMEOUT", "500")).refused).toBeUndefined()
    world.allTheWay()
    const after = world.state.regions.map(({ stable }) => stable)
    const [old, fresh] = [before, after].map(
      (pools) => world.state.releases[world.state.rollouts[pools.at(-1) ?? 0]?.release ?? ""],
    )
    expect(after.every((pool, i) => pool !== before[i])).toBe(true)
    expect(fresh?.digest).toBe(old?.digest)
    expect(fresh?.id).toBe(`${old?.id}.c1`)
    expect(new Set(versions(world, "prod3"))).toEqual(new Set([0, 1]))
  })

  it("goes back together with its release, and the next commit gets the newest", () => {
    const world = served()
    configure(world, plain("TIMEOUT", "0"))
    const moving = () => world.state.rollouts[world.state.regions[2]?.active ?? 0]
    for (let i = 0; i < 30 && moving()?.phase.name !== "shifting"; i++) {
      world.settle()
      world.approveAll()
      world.look([verdict("ok", true)])
    }
    const bad = moving()
    world.look([verdict("worse", true)])
    world.settle()
    expect(world.state.rollouts[bad?.number ?? 0]?.phase.name).toBe("rolled-back")
    expect(versions(world, "prod3")).toEqual(expect.arrayContaining([0]))
    expect(world.state.quarantine[bad?.release ?? ""]).toBeDefined()
    const commit = world.push("c", papiPolicy())
    world.settle()
    expect(world.state.releases[commit]?.configuration.version).toBe(1)
  })

  it("never brings back what is blocked under another name", () => {
    const world = served()
    const [first] = Object.keys(world.state.releases)
    const second = world.push("b", papiPolicy())
    world.allTheWay()
    const { number } = world.state.rollouts[world.state.regions.at(-1)?.stable ?? 0] ?? { number: 0 }
    world.give({ type: "rollback", rollout: number, reason: "wrong" })
    world.settle()
    expect(world.state.quarantine[second]).toBeDefined()
    configure(world, plain("A", "1"))
    expect(world.state.releases[`${second}.c1`]).toBeUndefined()
    expect(world.state.releases[`${first}.c1`]).toBeDefined()
  })

  it("can be set before the first build, which gets it", () => {
    const world = new CoreWorld()
    world.give({ type: "add-app", source: { url: "file:///papi", branch: "main" } })
    configure(world, plain("A", "1"))
    const commit = world.push("a", papiPolicy())
    world.settle()
    expect(world.state.releases[commit]?.configuration).toMatchObject({ version: 1, common: { A: {} } })
  })

  it("is restored by going on", () => {
    const world = served()
    configure(world, plain("A", "1"))
    configure(world, plain("A", "2"), plain("B", "3"))
    const restored = world.give({ type: "restore-configuration", version: 1, reason: "it was better" })
    expect(restored.refused).toBeUndefined()
    expect(world.state.configuration).toMatchObject({ version: 3, common: { A: { plain: "1" } } })
    const again = world.give({ type: "restore-configuration", version: 1, reason: "again" })
    expect(again.refused?.message).toContain("nothing changes")
    const unknown = world.give({ type: "restore-configuration", version: 9, reason: "why not" })
    expect(unknown.refused?.code).toBe("unknown")
  })

  it("is not approved by whoever changed it where authors may not approve", () => {
    const policy = papiPolicy()
    const strict = policy.regions.map((region) =>
      region.gate ? { ...region, gate: { ...region.gate, notAuthor: true } } : region,
    )
    const world = served({ ...policy, regions: strict })
    configure(world, plain("A", "1"))
    const gated = () =>
      Object.values(world.state.rollouts).find(({ phase }) => phase.name === "queued" && phase.gate)
    for (let i = 0; i < 20 && !gated(); i++) {
      world.settle()
      world.look([verdict("ok", true)])
    }
    const order = { type: "approve", rollout: gated()?.number ?? 0, reason: "mine", bound: {} } as const
    expect(world.give(order, "Mira").refused?.code).toBe("not-allowed")
    expect(world.give(order, "Noor").refused).toBeUndefined()
  })

  it.each([
    ["a key that no program could take", plain("A B", "1"), "is no key"],
    ["a region that is not there", plain("A", "1", "mars"), "has no region mars"],
    ["a value without end", plain("A", "x".repeat(40_000)), "longer than"],
    ["taking away what is not there", { key: "A", region: undefined, value: undefined }, "A is not set"],
  ] as const)("refuses %s, and changes nothing", (_, change, says) => {
    const world = served()
    const { refused, events } = configure(world, plain("GOOD", "1"), change)
    expect(refused?.message).toContain(says)
    expect(events).toEqual([])
    expect(world.state.configuration).toEqual(noConfiguration)
  })
})
