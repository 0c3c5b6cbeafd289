import { expect, it } from "vitest"
import { at, tell, world } from "./edge-cases.ts"
import type { Scenario } from "./scenario.ts"

/** Instances are ended on purpose and production is rebuilt beside itself, again and again. */
const rehearsing = (): Scenario => {
  const usual = world("good", [], 2)
  return {
    ...usual,
    apps: usual.apps.map((app) => ({ ...app, rehearsals: { failures: 60_000, drill: 90_000 } })),
    calmFrom: 200_000,
  }
}

it("planned failures and drills break no rule, and leave nothing when whoever ordered them is killed in their midst", async () => {
  let killed = 0
  const told = await tell(rehearsing(), [], (cluster) => {
    for (let moment = 1_000; moment < 190_000; moment += 500)
      at(cluster, moment, () => {
        const state = cluster.check.log.state("papi")
        const rebuilding = state?.drill && !state.drill.result && state.drill.readyAt === undefined
        if (!rebuilding || killed > 1) return
        killed++
        for (const plane of cluster.planes) plane.crash("kill -9")
        at(cluster, moment + 5_000, () => {
          for (const plane of cluster.planes) plane.start()
        })
      })
  })
  expect(told.violations).toEqual([])
  expect(killed).toBeGreaterThan(0)
  expect(told.happened("failure-planned")).toBeGreaterThan(1)
  expect(told.happened("drill-cleared")).toBe(told.happened("drill-started"))
  expect(told.second).toBe("succeeded")
})
