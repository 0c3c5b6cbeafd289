import { expect, it } from "vitest"
import { atProd3, served } from "../../testing/core-stories.ts"
import type { CoreWorld } from "../../testing/core-world.ts"
import { papiPolicy } from "../../testing/core-world.ts"
import { appSummary, appView } from "./app-view.ts"
import { rolloutView } from "./rollout-view.ts"

const remove = (world: CoreWorld) => world.give({ type: "remove-app", reason: "nobody uses it" })
const todo = (world: CoreWorld, problems: Readonly<Record<string, string>> = {}) =>
  appSummary(world.state, new Map(Object.entries(problems))).todo

it("users are said to be away from one that is removed only once the routers let go of all of it", () => {
  const world = served()
  remove(world)
  expect(todo(world)).toMatch(
    /^Not every router has let go of \d of them yet: users may still be sent there\./,
  )
  expect(todo(world, { "server s1": "no answer" })).toContain("It waits for s1; the problems say")
  expect(todo(world, { "kill switch": "the kill switch is set: nothing is changed" })).toContain(
    "It waits, as the kill switch is set: nothing is changed; lift it",
  )
  world.turn()
  expect(world.state.removed?.clearedAt).toBeUndefined()
  expect(todo(world)).toBe("No user is sent there any more. You need to do nothing right now.")
})

it("who removes an application is told of the build that is given up with it", () => {
  const world = served()
  world.push("b1", papiPolicy())
  expect(appView(world.state, 1, new Map()).removal.consequences).toContain(
    "the build of b100000 is given up",
  )
})

it("an application is not offered for removal while the kill switch is set, and says what to do", () => {
  const world = served()
  const refused = (problems: Readonly<Record<string, string>>) =>
    appView(world.state, 1, new Map(Object.entries(problems))).removal.refused
  const killed = "the kill switch is set: nothing is changed"
  expect(refused({ "kill switch": killed })).toBe(
    `${killed}, so nothing of papi would be ended; lift it first (immunity kill-switch lift --reason WHY)`,
  )
  expect(refused({ "server s1": "no answer" })).toBeUndefined()
})

it("nothing can be done about a rollout whose application is removed", () => {
  const { world, rollout } = atProd3()
  const view = () => rolloutView(world.state, rollout(), [], [], [], world.now)
  world.give({ type: "halt", rollout: rollout().number, reason: "stop" })
  expect(view().actions).toContain("rollback")
  remove(world)
  expect(view()).toMatchObject({ actions: [], consequences: {} })
})
