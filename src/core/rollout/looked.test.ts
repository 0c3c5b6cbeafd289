import { expect, it } from "vitest"
import { atProd3 } from "../../testing/core-stories.ts"
import { verdict } from "../../testing/core-world.ts"

const unsure = verdict("unsure", true)
const ok = verdict("ok", true)
const minute = 60_000

it("a rollout that a person lets stand for two days does not fill the journal with looks that say nothing new", () => {
  const { world, rollout } = atProd3()
  const looks = () => world.events.filter(({ event }) => event.type === "looked").length
  for (let observed = 0; observed < 60 * minute; observed += minute) world.look([unsure], observed)
  expect(rollout().phase).toMatchObject({ name: "holding", hold: { why: "unsure" } })
  const before = looks()
  for (let observed = 60 * minute; observed < 2 * 24 * 60 * minute; observed += minute)
    world.look([unsure], observed)
  expect(looks() - before).toBeLessThan(60)
  world.look([ok], 3 * 24 * 60 * minute)
  expect(rollout().lastLook?.verdicts[0]?.kind).toBe("ok")
})

it("the look that sends a rollout on after a lock is stored with its own evidence", () => {
  const { world, rollout } = atProd3()
  world.give({ type: "lock", region: undefined, reason: "an audit" })
  for (let observed = 10 * minute; observed < 20 * minute; observed += minute) world.look([ok], observed)
  const held = rollout()
  expect(held.phase).toMatchObject({ name: "holding", hold: { why: "locked" } })
  world.give({ type: "unlock", lock: 1, reason: "done", preventive: undefined })
  world.look([ok], 20 * minute + 1)
  expect(rollout().looks).toBe(held.looks + 1)
})
