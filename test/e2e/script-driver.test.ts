import { readdirSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Cluster } from "../support/cluster.ts"
import { immunity } from "../support/run.ts"
import { minutes } from "../support/until.ts"

const driver = resolve("examples/drivers/processes/driver.mjs")

const pipeline = ([production]: readonly number[]): string => `version: 1
app: papi
start: node server.js
run: { health: { path: /healthz, every: 200ms, healthy: 1 }, drain: 1s }
regions:
  - { name: production, listen: ${production}, size: 2, bake: 0s }
`

describe("instances of a driver that is a script", () => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await Cluster.open(1, pipeline, { args: ["--compute", "script", "--driver", driver] })
    cluster.serve()
  }, minutes)
  afterAll(async () => {
    expect(await cluster.close()).toEqual([])
  }, minutes)

  it(
    "serve users, are replaced by those of the next commit without a failed request, and leave their log",
    async () => {
      const first = cluster.commit("first version", "none")
      await cluster.add()
      await cluster.climb(first, "succeeded")
      const failed: string[] = []
      let asked = 0
      let over = false
      const users = (async () => {
        while (!over) {
          const answer = await fetch(`http://127.0.0.1:${cluster.ports[1]}/`).catch((error) => String(error))
          asked++
          // 500 is the application's own answer, which it gives now and then; what the router says is 502 and above.
          if (typeof answer === "string" || answer.status > 500) failed.push(String(answer))
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      })()
      const second = cluster.commit("second version", "none")
      await cluster.climb(second, "succeeded")
      over = true
      await users
      expect([asked > 10, failed]).toEqual([true, []])
      const { instances } = await cluster.agent.observe(["papi"], AbortSignal.timeout(60_000))
      expect(instances.filter(({ state }) => state === "ready").length).toBeGreaterThanOrEqual(2)
      const homes = readdirSync(join(cluster.dir, "server", "agent", "driver", "instances"))
      expect(homes.sort()).toEqual(instances.map(({ id }) => id).sort())
    },
    4 * minutes,
  )

  it(
    "that has no room for a second pool holds the rollout, blames nobody, and goes on when there is room",
    async () => {
      const folder = join(cluster.dir, "server", "agent", "driver")
      // Two serve, and two are kept, which make room: then there is still one too few.
      writeFileSync(join(folder, "most-instances"), "3")
      await cluster.until(
        "the room to be known",
        async () => {
          const { capacity } = await cluster.agent.observe(["papi"], AbortSignal.timeout(60_000))
          return capacity?.instances?.total === 3 || undefined
        },
        minutes,
      )
      const third = cluster.commit("third version", "none")
      const waiting = await cluster.until(
        "it to wait for room",
        async () => (await cluster.app()).regions[0]?.active?.wait,
        2 * minutes,
      )
      expect(waiting.for).toMatch(/^room: there is room for [01] more of at most 3 instances, and 2 fresh/)
      rmSync(join(folder, "most-instances"))
      await cluster.climb(third, "succeeded")
      expect((await cluster.app()).locks).toEqual([])
    },
    4 * minutes,
  )

  it("are checked by a command of the installed product, which ends with a code of its own", async () => {
    const well = await immunity(["driver", "check", driver, "--only", "protocol", "--json"])
    expect([well.code, JSON.parse(well.stdout)]).toMatchObject([0, { ok: true, kept: 5, broken: 0 }])
    const none = await immunity(["driver", "check", "/usr/bin/true", "--only", "protocol"])
    expect(none.code).toBe(5)
    expect(none.stdout).toMatch(
      /broken +protocol +says who it is[\s\S]*found: .*[\s\S]*it matters: [\s\S]*what to do: /,
    )
    expect((await immunity(["driver", "check", "package.json"])).code).toBe(2)
  })
})
