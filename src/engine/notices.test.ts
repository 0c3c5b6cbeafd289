import { expect, it } from "vitest"
import { served } from "../testing/core-stories.ts"
import { papiPolicy } from "../testing/core-world.ts"
import { noticesFor } from "./notices.ts"

it("whoever is told of removals learns that an application was removed, by whom and why", () => {
  const world = served(papiPolicy({ notify: [{ webhook: "https://a.example", on: ["removal"] }] }))
  const before = { state: world.state, events: world.events.length }
  world.give({ type: "remove-app", reason: "nobody uses it" })
  const notices = noticesFor(before.state, world.events.slice(before.events))
  expect(notices).toMatchObject([
    { to: "https://a.example", type: "app-removed", text: "papi: app removed by Mira: nobody uses it" },
  ])
})
