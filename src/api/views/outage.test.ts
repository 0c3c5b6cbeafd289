import { expect, it } from "vitest"
import { served } from "../../testing/core-stories.ts"
import type { CoreWorld } from "../../testing/core-world.ts"
import { appSummary } from "./app-view.ts"

/** Whatever ran at prod3 is gone, all at once. */
const allGone = (world: CoreWorld) => {
  const { instances } = world.state.regions.find(({ name }) => name === "prod3") ?? {}
  const others = world.state.regions.flatMap(({ name, instances: known }) =>
    name === "prod3" ? [] : Object.values(known),
  )
  world.give(
    {
      type: "observed",
      servers: [
        {
          server: "local",
          instances: others.map(({ id, address }) => ({
            ...{ instance: id, state: "ready" as const, address, exit: undefined, differences: [] },
          })),
          routes: undefined,
          released: [],
        },
      ],
    },
    "immunity",
  )
  return Object.keys(instances ?? {}).length
}

it("where nobody serves in production that is said first, with what keeps them from being started", () => {
  const world = served()
  expect(appSummary(world.state, new Map()).sentence).toMatch(/^Nothing moves; .* is in production/)
  expect(allGone(world)).toBeGreaterThan(0)
  const said = appSummary(world.state, new Map())
  expect(said).toMatchObject({ tone: "bad", todo: expect.stringContaining("Fresh ones are being started") })
  expect(said.sentence).toMatch(/^Nobody serves at prod3 \(0 of \d instances of [0-9a-f]{7} are ready\)\.$/)
  const problems = new Map([["start papi-prod3-r9-9", "the agent refused: there is no artifact sha256:5a"]])
  expect(appSummary(world.state, problems).todo).toMatch(
    /^None can be started: .* no artifact sha256:5a\. Mend that/,
  )
})
