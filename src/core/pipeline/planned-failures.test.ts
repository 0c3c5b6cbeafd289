import { describe, expect, it } from "vitest"
import { served } from "../../testing/core-stories.ts"
import { type CoreWorld, papiPolicy } from "../../testing/core-world.ts"
import { fractionOf } from "../model/chance.ts"
import type { FailurePolicy, Policy } from "../model/policy.ts"

const hour = 3_600_000
const day = 24 * hour

/** Whose prod4 has two instances; the other regions have one each. */
const failing = (failures: FailurePolicy, more: Partial<Policy> = {}) =>
  served(papiPolicy({ failures, ...more }))
const planned = (world: CoreWorld) =>
  world.events.flatMap(({ event, at }) => (event.type === "failure-planned" ? [{ ...event, at }] : []))
const passed = (world: CoreWorld) =>
  world.events.flatMap(({ event }) => (event.type === "failure-passed" ? [event] : []))
const prod4 = (world: CoreWorld) => world.state.regions.find(({ name }) => name === "prod4")
const later = (world: CoreWorld, forMs: number) => {
  world.now += forMs
  world.settle()
}

describe("a planned failure", () => {
  it("ends one instance at most once in the time that is given, and measures until full strength", () => {
    const world = failing({ every: day })
    later(world, day / 2)
    expect(planned(world)).toEqual([])
    later(world, day)
    expect(planned(world)).toMatchObject([{ region: "prod4", kind: "kill" }])
    expect(passed(world)).toMatchObject([{ region: "prod4", full: true, tookMs: expect.any(Number) }])
    expect(passed(world)[0]?.tookMs).toBeGreaterThan(0)
    later(world, day / 2)
    expect(planned(world)).toHaveLength(1)
    later(world, day)
    expect(planned(world)).toHaveLength(2)
    expect(prod4(world)?.failures).toHaveLength(2)
  })

  it("never takes the last healthy instance: where there is one, none is ended", () => {
    const world = failing({ every: day })
    for (let i = 0; i < 10; i++) later(world, 2 * day)
    expect(new Set(planned(world).map(({ region }) => region))).toEqual(new Set(["prod4"]))
  })

  it("takes users away from the instance before it ends, by the usual handshake, and fills the pool with a fresh one", () => {
    const world = failing({ every: day })
    world.now += 2 * day
    world.give({ type: "tick" }, "immunity")
    const [{ instance } = { instance: "" }] = planned(world)
    const wants = () => world.wants().map((effect) => effect.kind === "release-instance" && effect.instance)
    expect(wants()).toContain(instance)
    expect(world.wants().some((effect) => effect.kind === "stop-instance")).toBe(false)
    world.settle()
    expect(Object.keys(prod4(world)?.instances ?? {})).not.toContain(instance)
    expect(Object.keys(prod4(world)?.instances ?? {})).toHaveLength(2)
  })

  it.each<[string, (world: CoreWorld) => void]>([
    ["a lock", (world) => world.give({ type: "lock", region: "sandbox1", reason: "wait" })],
    ["a pause", (world) => world.give({ type: "pause", reason: "lunch" })],
    [
      "the kill switch",
      (world) => void Object.assign(world, { limits: { killed: "the kill switch is set" } }),
    ],
    ["a full disk", (world) => void Object.assign(world, { limits: { nothingNew: "its disk is full" } })],
    ["a drained server", (world) => void world.drained.set("local", "repair")],
    ["missing strength", (world) => world.fail(Object.keys(prod4(world)?.instances ?? {})[0] ?? "")],
  ])("does not happen during %s", (_, disturb) => {
    const world = failing({ every: day })
    disturb(world)
    for (let i = 0; i < 5; i++) later(world, day)
    expect(planned(world)).toEqual([])
  })

  it("does not happen in a freeze, nor outside of its hours, nor in a region that opts out", () => {
    const frozen = (from: number, until: number) => ({
      name: "quarter's end",
      when: "now and then",
      zone: "UTC",
      spans: [{ from, until }],
    })
    const inFreeze = failing({ every: hour }, { freeze: [frozen(2 * hour, 1_000 * day)] })
    later(inFreeze, 3 * day)
    expect(planned(inFreeze)).toEqual([])

    const days = [0, 1, 2, 3, 4, 5, 6]
    const inHours = failing({ every: hour, between: { from: 9 * 60, until: 16 * 60, days, zone: "UTC" } })
    for (let i = 0; i < 72; i++) later(inHours, hour)
    const minutes = planned(inHours).map(({ at }) => (at % day) / 60_000)
    expect(minutes.length).toBeGreaterThan(5)
    expect(minutes.every((minute) => minute >= 9 * 60 && minute < 16 * 60)).toBe(true)

    const { regions } = papiPolicy()
    const out = failing(
      { every: hour },
      { regions: regions.map((region) => ({ ...region, failures: false as const })) },
    )
    for (let i = 0; i < 5; i++) later(out, day)
    expect(planned(out)).toEqual([])
  })

  it("reads the hours in their own time zone, and does nothing where nobody can", () => {
    const between = { from: 0, until: 60, days: [4], zone: "Europe/Berlin" }
    const world = failing({ every: hour, between })
    for (let i = 0; i < 5; i++) later(world, day)
    expect(planned(world)).toEqual([])
    world.limits = { local: (_, zone) => ({ day: zone === "Europe/Berlin" ? 4 : 0, minute: 30 }) }
    later(world, hour)
    expect(planned(world)).toHaveLength(1)
  })

  it("that the application does not survive is told as soon as its time is over, and until it is whole again", () => {
    const world = failing({ every: day })
    world.faults = { nothingStarts: true }
    later(world, 2 * day)
    expect(planned(world)).toHaveLength(1)
    later(world, 300_000)
    const missing = world.events.filter(({ event }) => event.type === "strength-missing")
    expect(missing.map(({ event }) => event)).toMatchObject([{ region: "prod4", ready: 1, size: 2 }])
    for (let i = 0; i < 3; i++) later(world, 2 * day)
    expect(planned(world)).toHaveLength(1)
    world.faults = {}
    world.settle()
    expect(passed(world)).toMatchObject([{ full: true }])
  })

  it("tells nothing when another release came between", () => {
    const world = failing({ every: day })
    world.faults = { nothingStarts: true }
    world.now += 2 * day
    world.give({ type: "tick" }, "immunity")
    expect(planned(world)).toHaveLength(1)
    world.faults = {}
    world.push("b2", papiPolicy({ failures: { every: day }, run: { ...papiPolicy().run, keep: 0 } }))
    world.allTheWay()
    expect(passed(world)).toHaveLength(1)
    expect(prod4(world)?.failures?.every(({ end }) => end !== undefined)).toBe(true)
  })

  it("chooses by the state alone: the same journal, the same choice", () => {
    const [a, b] = [failing({ every: day }), failing({ every: day })]
    for (const world of [a, b]) later(world, 3 * day)
    expect(planned(a)).toEqual(planned(b))
    const many = Array.from({ length: 1_000 }, (_, i) => fractionOf(`papi/prod4/${i}/who`))
    expect(many.filter((at) => at < 0.5).length).toBeGreaterThan(400)
    expect(many.filter((at) => at < 0.5).length).toBeLessThan(600)
  })
})

describe("the maximum age", () => {
  it("replaces every instance, one at a time over all regions, with a fresh one there first", () => {
    const world = failing({ maxAge: 7 * day })
    later(world, 6 * day)
    expect(planned(world)).toEqual([])
    const old = world.state.regions.flatMap(({ instances }) => Object.keys(instances))
    world.now += 2 * day
    for (let i = 0; i < 60; i++) {
      world.turn()
      const open = world.state.regions.flatMap(({ failures }) => (failures ?? []).filter(({ end }) => !end))
      expect(open.length).toBeLessThanOrEqual(1)
      for (const region of world.state.regions) {
        const ready = Object.values(region.instances).filter(
          ({ state, retired }) => state === "ready" && !retired,
        )
        expect(ready.length).toBeGreaterThanOrEqual(region.policy.size)
      }
    }
    const now = world.state.regions.flatMap(({ instances }) => Object.keys(instances))
    expect(now).toHaveLength(old.length)
    expect(now.filter((id) => old.includes(id))).toEqual([])
  })
})
