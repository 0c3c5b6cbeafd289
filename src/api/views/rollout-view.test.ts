import { describe, expect, it } from "vitest"
import type { MetricPolicy } from "../../core/model/policy.ts"
import type { Interval } from "../../ports/evidence.ts"
import type { StoredEvent } from "../../ports/journal.ts"
import { atProd3, newest, served } from "../../testing/core-stories.ts"
import { type CoreWorld, papiPolicy, verdict } from "../../testing/core-world.ts"
import { rolloutView } from "./rollout-view.ts"

const stored = (world: CoreWorld): readonly StoredEvent[] =>
  world.events.map((recorded, i) => ({
    ...recorded,
    sequence: i + 1,
    version: i + 1,
    stream: "papi",
    hash: "0".repeat(64),
  }))

const errors: MetricPolicy = {
  name: "error_rate",
  source: { type: "router" },
  kind: "error-proportion",
  worse: "up",
  critical: true,
  tolerateRatio: 0.2,
  tolerateDelta: 0.005,
}

const second = (from: number, bad: number): Interval => ({
  stage: "shifting",
  step: 0,
  from,
  to: from + 1_000,
  judged: true,
  measurements: [
    {
      metric: "error_rate",
      from,
      to: from + 1_000,
      canary: { kind: "proportion", total: 50, bad },
      control: { kind: "proportion", total: 50, bad: 0 },
    },
  ],
})

describe("a rollout that changes what releases share", () => {
  const migrations = { paths: ["db/**"], contract: ["db/*_contract_*"], shared: ["postgres: orders"] }
  const viewOf = (world: CoreWorld, region: string) =>
    rolloutView(world.state, newest(world, region), stored(world), [], [], world.now)

  it("says what both share while both run, what it waits for, and why nobody goes back over a contract step", () => {
    const policy = papiPolicy({ migrations })
    const world = served(policy)
    world.push("b2", policy, ["db/1_add.sql"])
    world.allTheWay()
    expect(viewOf(world, "prod4").migration).toMatchObject({
      kind: "expand",
      paths: ["db/1_add.sql"],
      shared: ["postgres: orders"],
      window: expect.stringContaining("a100000 is kept for a swap back"),
    })
    expect(viewOf(world, "prod4").actions).toEqual(["rollback"])
    world.push("c3", policy, ["db/2_contract_drop.sql"])
    world.settle()
    const { summary, migration } = viewOf(world, "sandbox1")
    expect(summary.sentence).toContain(
      "c300000 holds before sandbox1: its contract step (db/2_contract_drop.sql)",
    )
    expect(summary.wait?.then).toContain("immunity pools release papi --region sandbox1")
    expect(migration?.waitsForKept).toEqual(["sandbox1"])
    for (const region of ["sandbox1", "sandbox2", "prod3", "prod4"])
      world.give({ type: "release-pools", region, reason: "b2 is fine" })
    world.allTheWay()
    expect(viewOf(world, "prod4")).toMatchObject({
      actions: [],
      migration: { kind: "contract", noWayBack: expect.stringContaining("fix forward") },
    })
  })
})

describe("a rollout as people see it", () => {
  it("counts whom it hurt from its own first share of traffic on, not from another rollout's", () => {
    const { world, rollout } = atProd3()
    const began = world.events.findLast(({ event }) => event.type === "step-started")?.at ?? 0
    world.now += 4_000
    world.look([verdict("worse", true)])
    world.settle()
    const view = rolloutView(
      world.state,
      rollout(),
      stored(world),
      [second(began, 5), second(began + 1_000, 3)],
      [],
      world.now,
    )
    const returned = world.events.findLast(({ event }) => event.type === "weight-returned")?.at ?? 0
    const decided = world.events.findLast(({ event }) => event.type === "abort-started")?.at ?? 0
    expect(view.back).toEqual({ to: "a100000", milliseconds: returned - decided })
    expect(view.harm).toEqual({ requests: 100, bad: 8, milliseconds: returned - began })
    expect(view.steps.map(({ state }) => state)).toEqual(["done", "not reached"])
  })

  it("draws what both cohorts showed, with a gap where nothing was seen", () => {
    const { world, rollout } = atProd3(papiPolicy({ metrics: [errors] }))
    const blind: Interval = {
      ...second(2_000, 0),
      measurements: [{ metric: "error_rate", from: 2_000, to: 3_000, blind: "router: gone" }],
    }
    const { series } = rolloutView(
      world.state,
      rollout(),
      stored(world),
      [second(0, 5), second(1_000, 0), blind],
      [],
      world.now,
    )
    expect(series.find(({ metric }) => metric === "error_rate")?.points).toEqual([
      { at: 1_000, canary: 0.1, control: 0 },
      { at: 2_000, canary: 0, control: 0 },
      { at: 3_000, canary: undefined, control: undefined },
    ])
  })

  it("says what its comparison can see at the traffic of the rollout before, until it has its own", () => {
    const { world, rollout } = atProd3(papiPolicy({ metrics: [errors] }))
    const seconds = (count: number, scale: number) =>
      Array.from({ length: count }, (_, i) => {
        const { measurements, ...rest } = second(i * 1_000, 0)
        const more = (total: number) => ({ kind: "proportion" as const, total: total * scale, bad: 0 })
        return {
          ...rest,
          measurements: measurements.map((m) => ({ ...m, canary: more(50), control: more(50) })),
        }
      })
    const foresight = (own: readonly Interval[], before: readonly Interval[]) =>
      rolloutView(world.state, rollout(), stored(world), own, before, world.now).foresight
    expect(foresight([], [])).toEqual([])
    expect(foresight(seconds(1, 1), seconds(10, 1)).join()).toMatch(
      /error_rate: finds .* at 100 requests a second/,
    )
    expect(foresight(seconds(10, 20), seconds(10, 1)).join()).toMatch(/at 2,000 requests a second/)
  })

  it("does not promise to find what one instance beside one other may show by chance", () => {
    const { world, rollout } = atProd3(papiPolicy({ metrics: [errors] }))
    const foresight = (ids: readonly string[]) => {
      const seen = { kind: "proportion" as const, total: 20_000, bad: 400 }
      const instances = ids.map((id) => ({ id, n: seen.total / ids.length, sum: 0, squares: 0 }))
      const intervals = Array.from({ length: 10 }, (_, i) => {
        const { measurements, ...rest } = second(i * 1_000, 0)
        const told = { ...seen, instances }
        return { ...rest, measurements: measurements.map((m) => ({ ...m, canary: told, control: told })) }
      })
      return rolloutView(world.state, rollout(), stored(world), intervals, [], world.now).foresight.join()
    }
    expect(foresight(["a"])).toMatch(/finds 3 × the failures/)
    expect(foresight(["a", "b", "c", "d"])).toMatch(/finds (1.5|2) × the failures/)
  })

  it("says what each order will do, with names", () => {
    const { world, rollout } = atProd3()
    const { actions, consequences } = rolloutView(world.state, rollout(), stored(world), [], [], world.now)
    expect(actions).toEqual(["halt", "rollback"])
    expect(consequences.rollback?.join("\n")).toMatch(/prod3: all traffic goes back to a100000 at once/)
    expect(consequences.rollback?.join("\n")).toMatch(/papi is locked: nothing new starts/)
  })
})
