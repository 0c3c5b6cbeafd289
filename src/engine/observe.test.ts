import { expect, it } from "vitest"
import { served } from "../testing/core-stories.ts"
import { papiPolicy } from "../testing/core-world.ts"
import { serverWith } from "../testing/observed.ts"
import { factsFor } from "./observe.ts"

it("what a job came to is not heard where servers are ahead: it might begin a rollout with the number that shows it", () => {
  const core = served()
  core.push("c0ffee", papiPolicy())
  const [job] = core.state.commits.flatMap(({ state }) => (state.name === "building" ? [state.job] : []))
  if (job === undefined) throw new Error("nothing is being built")
  const heard = (instance: string) => {
    const outcome = { kind: "failed", because: "no disk" } as const
    const local = {
      ...serverWith("local", [instance]),
      jobs: [{ id: job, app: "papi", state: "ended", startedAt: 0, outcome } as const],
    }
    const world = { servers: new Map([["local", local]]), problems: {} }
    return factsFor(core.state, world, new Map(), []).map(({ type }) => type)
  }
  const { nextRollout } = core.state
  expect(heard(`papi-prod3-r${nextRollout - 1}-1`)).toEqual(["job-ended", "observed"])
  expect(heard(`papi-prod3-r${nextRollout}-1`)).toEqual(["observed"])
})
