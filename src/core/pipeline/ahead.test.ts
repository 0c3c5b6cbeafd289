import { describe, expect, it } from "vitest"
import { served } from "../../testing/core-stories.ts"
import { type CoreWorld, papiPolicy } from "../../testing/core-world.ts"
import type { ServerFacts } from "./input.ts"

const types = (world: CoreWorld) => world.events.map(({ event }) => event.type)
const shows = (world: CoreWorld, facts: Partial<ServerFacts>) =>
  world.give(
    {
      type: "observed",
      servers: [{ server: "local", instances: [], routes: undefined, released: [], ...facts }],
    },
    "immunity",
  )
const ready = (instance: string) =>
  ({ instance, state: "ready", address: "127.0.0.1:9", exit: undefined, differences: [] }) as const

describe("servers that show what the journal never asked for", () => {
  it("are left as they are: nothing is concluded, ordered or obeyed until a person says go on", () => {
    const world = served()
    const later = `papi-prod3-r${world.state.nextRollout}-1`
    const before = world.state.regions
    shows(world, { instances: [ready(later)] })
    expect(world.events.at(-1)?.event).toMatchObject({ type: "servers-ahead", seen: [later] })
    expect(world.wants()).toEqual([])
    const events = world.events.length
    world.turns(5)
    world.push("c0ffee", papiPolicy())
    expect(world.events).toHaveLength(events)
    expect(world.state.regions).toEqual(before)
    const refused = world.give({ type: "deploy", commit: undefined, reason: "now" }).refused
    expect(refused?.code).toBe("behind")
    expect(refused?.message).toContain(later)
    expect(refused?.message).toContain("immunity resume papi --reason WHY")
  })

  it("also when it is a table that sends users to a pool of later", () => {
    const world = served()
    shows(world, { routes: { "papi/prod3": { r77: 100 } } })
    expect(world.state.ahead).toMatchObject({ latest: 77, seen: ["pool r77"] })
  })

  it("after which the journal counts, under numbers that nobody has used", () => {
    const world = served()
    const last = world.state.nextRollout - 1
    shows(world, { instances: [ready(`papi-prod3-r${last + 4}-1`)] })
    expect(
      world.give({ type: "resume", rollout: undefined, reason: "no later backup" }).refused,
    ).toBeUndefined()
    expect(world.state.ahead).toBeUndefined()
    expect(world.state.nextRollout).toBe(1_001)
    // What it knew is looked for again, and what is gone is brought back as any other that vanished.
    world.settle()
    const all = world.state.regions.flatMap(({ instances }) => Object.values(instances))
    expect(all.every(({ state }) => state === "ready")).toBe(true)
    world.push("c0ffee", papiPolicy())
    world.allTheWay()
    expect(types(world).at(-1)).not.toBe("servers-ahead")
    expect(
      Object.keys(world.state.rollouts)
        .map(Number)
        .filter((number) => number > last)[0],
    ).toBe(1_001)
  })

  it("are not those of what it gave up itself: a late start, or a server that was lost for long", () => {
    const world = served()
    shows(world, {
      instances: [ready(`papi-prod3-r${world.state.nextRollout - 1}-77`), ready("papi-prod3-d9-1")],
    })
    expect(world.state.ahead).toBeUndefined()
  })

  it("is also proven by the tests of a rollout whose instances are gone, and by no number that nobody can have reached", () => {
    const world = served()
    const { nextRollout } = world.state
    shows(world, { instances: [ready("papi-prod3-r999999999999-1")], jobs: ["papi-test-r1-s0-unit-r99-1"] })
    expect(world.state.ahead).toBeUndefined()
    shows(world, { jobs: [`papi-test-r${nextRollout}-s0-unit`] })
    expect(world.state.ahead?.latest).toBe(nextRollout)
  })

  it("an application that was removed here can be let go as well", () => {
    const world = served()
    world.give({ type: "remove-app", reason: "nobody uses it" })
    world.settle()
    shows(world, { instances: [ready(`papi-prod3-r${world.state.nextRollout}-1`)] })
    expect(world.state.ahead).toBeDefined()
    const refused = world.give({ type: "remove-app", reason: "again" }).refused
    expect(refused?.message).toContain("ends what runs, because it was removed here")
    expect(
      world.give({ type: "resume", rollout: undefined, reason: "it was removed" }).refused,
    ).toBeUndefined()
    expect(world.state).toMatchObject({ removed: { reason: "nobody uses it" } })
    expect(world.state.ahead).toBeUndefined()
    expect(world.give({ type: "resume", rollout: undefined, reason: "again" }).refused?.code).toBe("removed")
  })
})
