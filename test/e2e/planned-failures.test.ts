import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { RegionView } from "../../src/api/contract/views.ts"
import { Users } from "../hosts/users.ts"
import { Cluster } from "../support/cluster.ts"
import { immunity } from "../support/run.ts"
import { minutes, pause } from "../support/until.ts"

/** A minute is the least that may lie between two. */
const pipeline = ([listen]: readonly number[]): string => `version: 1
app: shop
start: node server.js
run: { health: { path: /healthz, every: 200ms, healthy: 1 }, drain: 1s }
failures: { every: 1m }
regions:
  - { name: production, listen: ${listen}, size: 2, traffic: production, bake: 0s }
metrics: none
`

/** Answers after a moment, so that there is always somebody under way, and ends politely. */
const program = `import { createServer } from "node:http"
const server = createServer((request, response) => {
  setTimeout(() => response.end("here you are"), request.url === "/healthz" ? 0 : 100)
})
server.listen(Number(process.env.PORT), "127.0.0.1")
process.on("SIGTERM", () => server.close(() => process.exit(0)))
`

describe("an instance is killed on schedule, for real", () => {
  let cluster: Cluster
  const production = async (): Promise<RegionView> => {
    const found = (await cluster.plane.app("shop")).regions.find(({ name }) => name === "production")
    if (!found) throw new Error("there is no region production")
    return found
  }
  const running = async () =>
    (await cluster.agent.observe(["shop"], AbortSignal.timeout(60_000))).instances
      .filter(({ state }) => state !== "ended")
      .map(({ id }) => id)
      .sort()

  beforeAll(async () => {
    cluster = await Cluster.open(1, pipeline)
    cluster.commit("first version", "none", { "server.js": program })
    cluster.serve()
    await cluster.add(cluster.plane, "shop")
    await cluster.until(
      "the first version",
      async () => {
        const { serving, ready, strength } = await production()
        return serving && ready === 2 && strength?.nextAt !== undefined ? true : undefined
      },
      2 * minutes,
    )
  }, 4 * minutes)

  afterAll(async () => {
    expect(await cluster.close()).toEqual([])
  }, minutes)

  it(
    "no request fails, a fresh one takes its place, and page, API and command say how long that took",
    async () => {
      const before = await running()
      expect(before).toHaveLength(2)
      const nextAt = (await production()).strength?.nextAt ?? 0
      await pause(Math.max(0, nextAt - Date.now() - 3_000))
      const users = new Users(cluster.ports[1] ?? 0, 40)
      const failure = await cluster.until(
        "the region to be whole again after a planned failure",
        async () => (await production()).strength?.failures.find(({ tookMs }) => tookMs !== undefined),
        3 * minutes,
      )
      await pause(1_000)
      await users.stop()
      const during = users.seen.filter(
        ({ at }) => at >= failure.at && at <= failure.at + (failure.tookMs ?? 0),
      )
      expect(during.length).toBeGreaterThan(0)
      expect(users.seen.filter((seen) => seen.failure !== undefined)).toEqual([])
      expect(failure).toMatchObject({ kind: "kill", tookMs: expect.any(Number) })
      expect(before).toContain(failure.instance)
      const after = await running()
      expect(after).toHaveLength(2)
      expect(after).not.toContain(failure.instance)

      const { strength } = await production()
      expect(strength?.sentence).toContain(
        `after the planned failure of ${failure.instance} it was at full strength`,
      )
      expect(strength?.attention).toBeUndefined()
      const page = await (await fetch(`${cluster.url}/a/shop`)).text()
      expect(page).toContain(`the planned failure of ${failure.instance}`)
      const env = { IMMUNITY_SERVER: cluster.url, IMMUNITY_DIR: join(cluster.dir, "server") }
      const why = await immunity(["why", "shop#1"], env)
      expect(why.stdout).toContain(`after the planned failure of ${failure.instance} it was at full strength`)
      const types = (await cluster.plane.timeline("shop")).map(({ type }) => type)
      expect(types.filter((type) => type === "failure-planned")).toHaveLength(1)
      expect(types.filter((type) => type === "failure-passed")).toHaveLength(1)
    },
    5 * minutes,
  )
})
