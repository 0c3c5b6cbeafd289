import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { DrillView } from "../../src/api/contract/views.ts"
import { Cluster } from "../support/cluster.ts"
import { immunity } from "../support/run.ts"
import { minutes } from "../support/until.ts"

const pipeline = ([production]: readonly number[]): string => `version: 1
app: papi
start: node server.js
test: node test.js
run: { health: { path: /healthz, every: 200ms, healthy: 1 }, drain: 1s }
regions:
  - { name: production, listen: ${production}, size: 2, traffic: production, bake: 0s }
`

describe("a region is rebuilt from its images beside itself", () => {
  let cluster: Cluster
  const env = () => ({
    IMMUNITY_SERVER: cluster.url,
    IMMUNITY_DIR: join(cluster.dir, "server"),
    IMMUNITY_ACTOR: "Mira",
  })
  const running = async () =>
    (await cluster.agent.observe(["papi"], AbortSignal.timeout(60_000))).instances.map(({ id }) => id).sort()

  beforeAll(async () => {
    cluster = await Cluster.open(1, pipeline)
    cluster.serve()
    cluster.commit("first version", "none")
    await cluster.add()
    await cluster.until(
      "the first version",
      async () => (await cluster.app()).regions.find(({ serving, ready }) => serving && ready === 2),
      2 * minutes,
    )
  }, 4 * minutes)

  afterAll(async () => {
    expect(await cluster.close()).toEqual([])
  }, minutes)

  it(
    "by a command that says how long it took; nothing is left of it, and users met none of it",
    async () => {
      const before = await running()
      const drill = await immunity(["drill", "papi", "--region", "production", "--yes", "--json"], env())
      expect(drill.code).toBe(0)
      const told = JSON.parse(drill.stdout) as DrillView
      expect(told).toMatchObject({ number: 1, state: "passed", by: "Mira" })
      expect(told.rebuiltMs).toBeGreaterThan(0)
      expect(told.tookMs).toBeGreaterThanOrEqual(told.rebuiltMs ?? 0)
      expect(await running()).toEqual(before)
      const { regions } = await cluster.app()
      expect(regions[0]?.drill?.sentence).toContain("production was rebuilt from the images of")
      const page = await (await fetch(`${cluster.url}/a/papi`)).text()
      expect(page).toContain("production was rebuilt from the images of")
      const why = await immunity(["why", "papi#1"], env())
      expect(why.stdout).toContain("production was rebuilt from the images of")
    },
    2 * minutes,
  )

  it(
    "and all of it is gone afterwards although the control plane was killed in its midst",
    async () => {
      const before = await running()
      await cluster.ask("POST", "/v1/apps/papi/drill", { reason: "and kill it" })
      await cluster.until(
        "instances of the drill",
        async () => ((await running()).some((id) => id.includes("-d2-")) ? true : undefined),
        minutes,
      )
      cluster.kill()
      const ended = await cluster.until(
        "its end",
        async () => {
          const { drill, drills } = await cluster.app()
          return drill === undefined ? drills.find(({ number }) => number === 2) : undefined
        },
        2 * minutes,
      )
      expect(["passed", "gave-way"]).toContain(ended.state)
      expect(cluster.starts).toBe(2)
      expect(await running()).toEqual(before)
    },
    4 * minutes,
  )
})
