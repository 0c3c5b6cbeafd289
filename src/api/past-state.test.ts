import { expect, it } from "vitest"
import type { StoredEvent } from "../ports/journal.ts"
import { CoreWorld, papiPolicy } from "../testing/core-world.ts"
import { stateThatKnew } from "./past-state.ts"

it("a rollout that the state has forgotten is as it was, from the journal; one that never was is none", () => {
  const world = new CoreWorld()
  for (let i = 0; i < 14; i++) {
    world.push(i.toString(16).padStart(40, "c"), papiPolicy())
    world.allTheWay()
    world.now += 1_000_000
  }
  expect(world.state.rollouts[2]).toBeUndefined()
  const events = world.events.map((recorded, i): StoredEvent => {
    return { ...recorded, stream: "papi", version: i + 1, sequence: i + 1, hash: "" }
  })
  const rollout = stateThatKnew("papi", events, 2)?.rollouts[2]
  expect(rollout).toMatchObject({ number: 2, region: "sandbox2", phase: { name: "succeeded" } })
  expect(stateThatKnew("papi", events, 14 * 4 + 1)).toBeUndefined()
})
