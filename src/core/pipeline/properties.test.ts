import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { play, story } from "../../testing/core-acts.ts"
import type { CoreWorld } from "../../testing/core-world.ts"
import { terminal } from "../rollout/rollout.ts"
import type { Application } from "./application.ts"
import { decide } from "./decide.ts"
import { evolve } from "./evolve.ts"
import { nothing } from "./nothing.ts"
import { pinnedArtifacts } from "./pinned.ts"
import { placesOf } from "./places.ts"

/** What must be true after every single act. */
function check(world: CoreWorld): void {
  const { state } = world
  const pinned = pinnedArtifacts(state)
  for (const effect of world.wants()) {
    if (effect.kind === "start-instance") expect(pinned, effect.instance.id).toContain(effect.instance.digest)
    if (effect.kind === "stop-instance") {
      expect(
        find(state, effect.instance)?.released,
        `${effect.instance} is ended before the router released it`,
      ).toBe(true)
    }
    if (effect.kind !== "set-routes") continue
    for (const route of effect.routes) {
      const sum = route.pools.reduce((total, pool) => total + pool.weight, 0)
      if (route.pools.length > 0) expect(sum, route.route).toBeCloseTo(100, 6)
      for (const pool of route.pools) {
        expect(Number.isFinite(pool.weight) && pool.weight >= 0).toBe(true)
        if (pool.weight > 0)
          expect(pool.instances.length, `${route.route} ${pool.pool} has weight and nobody`).toBeGreaterThan(
            0,
          )
        for (const { id } of pool.instances) {
          const routed = find(state, id)
          const lastResort =
            routed?.state === "unready" && pool.pool === route.stable && !othersWell(state, id)
          expect(lastResort ? "ready" : routed?.state, id).toBe("ready")
          expect(routed?.retired, id).toBeUndefined()
        }
      }
    }
  }
  // What a drill rebuilt meets no user, and is gone before the next one.
  for (const effect of world.wants())
    if (effect.kind === "set-routes")
      for (const { route, pools } of effect.routes)
        for (const { id } of pools.flatMap(({ instances }) => instances))
          expect(id.includes("-d"), `${id} in ${route}`).toBe(route.endsWith("/drill"))
  const rebuilt = world.runningOn("local").filter(({ instance }) => instance.includes("-d"))
  if (!state.drill) expect(rebuilt).toEqual([])
  for (const region of state.regions) {
    const running = Object.values(state.rollouts).filter(
      (rollout) => rollout.region === region.name && !terminal(rollout.phase),
    )
    expect(running.length, `${region.name} has more than one rollout under way`).toBeLessThanOrEqual(1)
    if (region.stable !== undefined) {
      const live = Object.values(region.instances).filter(
        (known) => known.pool === region.stable && !known.retired,
      )
      expect(live.length, `${region.name}: the serving pool has nobody that is wanted`).toBeGreaterThan(0)
    }
  }
}

/** Whether anybody else of its pool is healthy. */
const othersWell = (state: Application, id: string): boolean => {
  const pool = find(state, id)?.pool
  return state.regions.some((region) =>
    Object.values(region.instances).some(
      (other) => other.pool === pool && other.id !== id && other.state === "ready" && !other.retired,
    ),
  )
}

const find = (state: Application, id: string) =>
  placesOf(state)
    .map((region) => region.instances[id])
    .find((known) => known !== undefined)

describe("whatever happens, in whatever order", () => {
  it("traffic goes to healthy instances, the last of the old pool excepted; pools are never emptied under their users, one rollout a region", () => {
    fc.assert(
      fc.property(story, (acted) => {
        play(acted, check)
      }),
      { numRuns: 60 },
    )
  })

  it("a rollback is locked and quarantined in its own decision, and nothing starts while locked", () => {
    fc.assert(
      fc.property(story, (acted) => {
        const world = play(acted)
        let locks = 0
        for (const { event, at } of world.events) {
          if (event.type === "locked") locks++
          if (event.type === "unlocked") locks--
          if (event.type === "rollout-started") expect(locks, "started while locked").toBe(0)
          if (event.type === "abort-started" && event.then === "rolled-back") {
            const together = world.events.filter((other) => other.at === at).map((other) => other.event.type)
            expect(together).toContain("quarantined")
            expect(locks > 0 || together.includes("locked")).toBe(true)
          }
        }
      }),
      { numRuns: 60 },
    )
  })

  it("the journal alone gives the state, and the same input the same decision", () => {
    fc.assert(
      fc.property(story, (acted) => {
        const world = play(acted)
        const folded = world.events.reduce(evolve, nothing("papi"))
        expect(folded).toEqual(world.state)
        const input = { type: "tick", at: world.now + 1, by: "immunity" } as const
        expect(decide(world.state, input)).toEqual(decide(folded, input))
      }),
      { numRuns: 40 },
    )
  })

  it("an instance id is asked for once", () => {
    fc.assert(
      fc.property(story, (acted) => {
        const ids = play(acted).events.flatMap(({ event }) =>
          event.type === "instance-requested" ? [event.instance] : [],
        )
        expect(new Set(ids).size).toBe(ids.length)
      }),
      { numRuns: 40 },
    )
  })

  it("any event on any state is defined", () => {
    fc.assert(
      fc.property(story, story, (one, other) => {
        const { events } = play(one)
        const { state } = play(other)
        expect(() => events.reduce(evolve, state)).not.toThrow()
      }),
      { numRuns: 30 },
    )
  })
})
