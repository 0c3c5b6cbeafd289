import { describe, expect, it } from "vitest"
import { Traffic } from "../../src/main/demo/traffic.ts"
import { Cluster } from "../support/cluster.ts"

const minutes = 60_000

const pipeline = ([sandbox, production]: readonly number[]): string => `version: 1
app: papi
start: node server.js
test: node test.js
run:
  health: { path: /healthz, every: 200ms, healthy: 1 }
  drain: 2s
regions:
  - { name: sandbox, listen: ${sandbox} }
  - { name: production, listen: ${production}, gate: button, compare: { for: 3s, warmup: 0s, minSamples: 50, extensions: 20 }, bake: 1s }
metrics:
  http: false
  list:
    error_rate: { kind: error-proportion, tolerate: 2pp, critical: true }
`

/** Dies right after every append, and every third time right before one: no step is ever in memory alone. */
const atEveryStep = (start: number): string => (start % 3 === 2 ? "before-append" : "after-append")

describe("the control plane is killed at every persisted step", () => {
  it(
    "of a good and of a bad rollout: users notice nothing, both end as they would have, nothing leaks",
    async () => {
      const cluster = await Cluster.open(2, pipeline)
      const traffic = new Traffic()
      try {
        cluster.serve()
        await cluster.until(
          "the server",
          () => cluster.ask("POST", "/v1/apps", { url: cluster.repository, app: "papi" }),
          minutes,
        )
        await climb(cluster, cluster.commit("first", "none"), "succeeded")
        traffic.start([`127.0.0.1:${cluster.ports[2]}`], 100)

        cluster.serve(atEveryStep)
        cluster.kill()
        await climb(cluster, cluster.commit("good", "none"), "succeeded")
        const afterGood = cluster.starts
        await climb(cluster, cluster.commit("bad", "errors"), "rolled-back")

        cluster.serve()
        const app = await cluster.until(
          "a quiet end",
          async () => {
            const now = await cluster.app()
            return now.regions.every((region) => region.active === undefined && region.ready === region.size)
              ? now
              : undefined
          },
          minutes,
        )
        expect(app.locks).toHaveLength(1)
        expect(afterGood).toBeGreaterThan(20)
        const timeline = await cluster.timeline()
        expect(timeline.map((entry) => entry.version)).toEqual(timeline.map((_, i) => timeline.length - i))

        await traffic.stop()
        const unexplained = traffic.seen.filter((request) => !request.ok && request.release === undefined)
        expect(unexplained).toEqual([])
        expect(traffic.seen.length).toBeGreaterThan(1_000)
      } finally {
        await traffic.stop()
        expect(await cluster.close()).toEqual([])
      }
    },
    10 * minutes,
  )
})

async function climb(cluster: Cluster, commit: string, end: string): Promise<void> {
  await cluster.until(
    `${commit.slice(0, 7)} ${end}`,
    async () => {
      const { rollouts } = await cluster.app()
      const mine = rollouts.find(
        (rollout) => commit.startsWith(rollout.commit) && rollout.region === "production",
      )
      if (mine?.phase === "queued" && mine.asks) {
        await cluster.ask("POST", `/v1/apps/papi/rollouts/${mine.number}/approve`, { reason: "a test" })
      }
      return mine?.phase === end ? mine : undefined
    },
    4 * minutes,
  )
}
