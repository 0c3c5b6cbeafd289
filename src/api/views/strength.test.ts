import { expect, it } from "vitest"
import { served } from "../../testing/core-stories.ts"
import { papiPolicy } from "../../testing/core-world.ts"
import { appView } from "./app-view.ts"

const day = 86_400_000

it("people read how a region bore a planned failure, and are called when it did not", () => {
  const world = served(papiPolicy({ failures: { every: day } }))
  const view = () => appView(world.state, 1, new Map())
  const prod4 = () => view().regions.find(({ name }) => name === "prod4")?.strength
  expect(prod4()).toMatchObject({ sentence: "no instance was ended on purpose yet", failures: [] })
  expect(prod4()?.nextAt).toBeGreaterThan(world.now)
  world.now += 2 * day
  world.settle()
  expect(prod4()?.sentence).toMatch(
    /^after the planned failure of papi-prod4-r4-\d it was at full strength again in 1\.1 s$/,
  )
  expect(view().todo).toBe("You need to do nothing right now.")
  world.faults = { nothingStarts: true }
  world.now += 2 * day
  world.settle()
  expect(prod4()?.sentence).toContain("is under way")
  world.now += 400_000
  world.settle()
  expect(view()).toMatchObject({
    tone: "bad",
    sentence: expect.stringContaining("prod4 is not back at full strength (1 of 2)"),
    todo: expect.stringContaining("before a real failure asks"),
  })
})

it("people read how long a region took to be rebuilt, and are called when it could not be", () => {
  const world = served()
  const view = () => appView(world.state, 1, new Map())
  const order = () => world.give({ type: "drill", region: "prod4", reason: "the audit" })
  order()
  expect(view().drill).toMatchObject({
    state: "under-way",
    sentence: expect.stringMatching(
      /is rebuilt beside prod4; no user meets it: 0 of 2 instances are healthy/,
    ),
  })
  world.settle()
  expect(view().drill).toBeUndefined()
  expect(view().drills).toMatchObject([
    {
      number: 1,
      state: "passed",
      sentence: expect.stringMatching(
        /^prod4 was rebuilt from the images of a100000 in [\d.]+ s and passed its tests after [\d.]+ s$/,
      ),
    },
  ])
  world.faults = { failingTests: new Set([world.state.commits[0]?.id ?? ""]) }
  order()
  world.settle()
  expect(view()).toMatchObject({
    tone: "bad",
    sentence: expect.stringContaining("prod4 could not be rebuilt from the images of a100000"),
  })
  world.faults = {}
  order()
  world.settle()
  expect(view().todo).toBe("You need to do nothing right now.")
})
