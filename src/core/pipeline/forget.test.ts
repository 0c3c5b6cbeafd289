import { describe, expect, it } from "vitest"
import { atProd3 } from "../../testing/core-stories.ts"
import { CoreWorld, papiPolicy, verdict } from "../../testing/core-world.ts"
import type { Application } from "./application.ts"
import { evolve } from "./evolve.ts"
import { nothing } from "./nothing.ts"

const commit = (i: number): string => i.toString(16).padStart(40, "c")

/** So many releases all the way through four regions, one after the other. */
function released(many: number, world = new CoreWorld(), from = 0): CoreWorld {
  for (let i = from; i < from + many; i++) {
    world.push(commit(i), papiPolicy())
    world.allTheWay()
    world.now += 86_400_000
  }
  return world
}

const counts = ({ rollouts, releases, commits }: Application) => ({
  rollouts: Object.keys(rollouts).length,
  releases: Object.keys(releases).length,
  commits: commits.length,
})

const long = released(56)

describe("what a state remembers", () => {
  it("does not grow with what happened long ago", () => {
    const { state, events } = long
    expect(counts(state)).toEqual({ rollouts: 40, releases: 50, commits: 50 })
    expect(state.nextRollout).toBe(56 * 4 + 1)
    const before = events.slice(0, -50).reduce(evolve, nothing("papi"))
    expect(counts(before).rollouts).toBeLessThanOrEqual(44)
  })

  it("holds one policy, however many releases have the same", () => {
    const { state } = long
    const policies = new Set([
      ...Object.values(state.releases).map(({ policy }) => policy),
      ...Object.values(state.rollouts).map(({ policy }) => policy),
    ])
    expect(policies.size).toBe(1)
  })

  it("never lacks what serves, what is kept for a way back, and what these came from", () => {
    let state = nothing("papi")
    for (const event of long.events) {
      state = evolve(state, event)
      for (const { stable, active, kept, instances } of state.regions) {
        const pools = [stable, active, ...kept, ...Object.values(instances).map(({ pool }) => pool)]
        for (const pool of pools.filter((known) => known !== undefined)) {
          const rollout = state.rollouts[pool]
          expect(rollout && state.releases[rollout.release]).toBeDefined()
        }
        const from = state.rollouts[stable ?? 0]?.from
        if (from !== undefined) expect(state.rollouts[from]).toBeDefined()
      }
    }
  })

  it("a release that was locked out stays so, however many come after it", () => {
    const { world, commit: bad } = atProd3()
    world.look([verdict("worse", true)])
    world.settle()
    for (const { id } of world.state.locks)
      world.give({ type: "unlock", lock: id, reason: "understood", preventive: undefined })
    const lockedOut = world.state.quarantine[bad]
    expect(lockedOut).toBeDefined()
    released(52, world)
    expect(world.state.releases[bad]).toBeUndefined()
    expect(world.state.quarantine[bad]).toEqual(lockedOut)
  })
})
