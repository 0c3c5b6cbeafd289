import { renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openFolders } from "../../src/main/demo/leftovers.ts"
import { Cluster } from "../support/cluster.ts"
import { immunity } from "../support/run.ts"
import { minutes } from "../support/until.ts"

/** Its metrics are asked of a system that does not answer. */
const pipeline = ([production]: readonly number[]): string => `version: 1
app: papi
build: { command: node --check server.js }
start: node server.js
run: { health: { path: /healthz, every: 200ms, healthy: 1 }, drain: 1s, keep: 1 }
regions:
  - { name: production, listen: ${production}, size: 2, bake: 0s }
metrics:
  http: true
  sources: { prom: { type: prometheus, url: "http://127.0.0.1:9" } }
  list: { load: { source: prom, kind: gauge, query: "load" } }
`

describe("the pool that is kept", () => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await Cluster.open(1, pipeline)
    cluster.serve()
  }, minutes)
  afterAll(async () => {
    expect(await cluster.close()).toEqual([])
  }, minutes)

  const serving = async (): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${cluster.ports[1]}/`)
    await answer.arrayBuffer()
    return answer.headers.get("x-release") ?? `${answer.status}`
  }
  const instances = async () => {
    const { instances: all } = await cluster.agent.observe(["papi"], AbortSignal.timeout(60_000))
    return all.filter(({ state }) => state === "ready").map(({ id }) => id)
  }

  it(
    "takes the users back with its configuration while repository, builder, artifacts and metrics are gone",
    async () => {
      const first = cluster.commit("first version", "none")
      await cluster.add()
      await cluster.climb(first, "succeeded")
      const before = await instances()
      const second = cluster.commit("second version", "none")
      await cluster.climb(second, "succeeded")
      expect(await serving()).toBe(second)
      expect(await instances()).toEqual(expect.arrayContaining([...before]))

      renameSync(cluster.repository, `${cluster.repository}.gone`)
      for (const folder of ["git", join("agent", "artifacts"), join("agent", "sources")]) {
        const path = join(cluster.dir, "server", folder)
        openFolders(path)
        rmSync(path, { recursive: true, force: true })
        // Nothing can be fetched, built or brought any more.
        writeFileSync(path, "broken")
      }
      const number = (await cluster.app()).rollouts[0]?.number ?? 0
      await cluster.ask("POST", `/v1/apps/papi/rollouts/${number}/rollback`, { reason: "a customer called" })
      await cluster.until("the first version", async () => (await serving()) === first || undefined, minutes)
      const view = await cluster.until(
        "the end of the way back",
        async () => {
          const now = await cluster.rollout(number)
          return now.summary.phase === "rolled-back" ? now : undefined
        },
        2 * minutes,
      )
      expect(view.back).toEqual({ to: first.slice(0, 7), milliseconds: expect.any(Number) })
      expect((await instances()).sort()).toEqual([...before].sort())
      const env = { IMMUNITY_SERVER: cluster.url, IMMUNITY_DIR: join(cluster.dir, "server") }
      const why = await immunity(["why", `papi#${number}`], env)
      expect(why.stdout).toMatch(/back +all users were on [0-9a-f]{7} [0-9.]+ s after the decision/)
    },
    6 * minutes,
  )
})
