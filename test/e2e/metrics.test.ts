import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Cluster } from "../support/cluster.ts"
import { immunity } from "../support/run.ts"
import { minutes } from "../support/until.ts"

const pipeline = ([production]: readonly number[]): string => `version: 1
app: papi
start: node server.js
run: { health: { path: /healthz, every: 200ms, healthy: 1 }, drain: 1s }
regions:
  - { name: production, listen: ${production}, traffic: production, size: 2, canary: [50%, 100%], bake: 0s,
      compare: { for: 5s, warmup: 0s } }
metrics:
  http: false
  sources: { pages: { type: scrape, every: 1s } }
  list:
    batches: { source: pages, kind: error-proportion, critical: true, query: batches_total, bad: 'batches_total{lost="yes"}' }
    orders: { source: push, kind: events, worse: down }
`

/** Answers every request well; what it loses stands on its metrics page and nowhere else. */
const server = `import { readFileSync } from "node:fs"
import { createServer } from "node:http"
const { flaw } = JSON.parse(readFileSync(new URL("./papi.json", import.meta.url), "utf8"))
const count = { no: 0, yes: 0 }
setInterval(() => {
  count.no += 9
  if (flaw === "errors") count.yes += 6
}, 50)
createServer((request, response) => {
  if (request.url !== "/metrics") return response.end("{}")
  response.writeHead(200, { "content-type": "text/plain; version=0.0.4" })
  response.end(\`batches_total{lost="no"} \${count.no}\\nbatches_total{lost="yes"} \${count.yes}\\n\`)
}).listen(Number(process.env.PORT), "127.0.0.1")
`

describe("metrics that only the application knows", () => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await Cluster.open(1, pipeline)
    cluster.serve()
    cluster.commit("first version", "none", { "server.js": server })
    await cluster.until(
      "the server",
      async () => {
        const env = { IMMUNITY_SERVER: cluster.url, IMMUNITY_DIR: join(cluster.dir, "server") }
        const ran = await immunity(["app", "add", cluster.repository, "--name", "papi"], env)
        return ran.code === 0 ? ran : undefined
      },
      minutes,
    )
    await cluster.until(
      "the first version everywhere",
      async () => ((await cluster.rollout(1)).summary.phase === "succeeded" ? true : undefined),
      2 * minutes,
    )
  }, 4 * minutes)

  afterAll(async () => {
    expect(await cluster.close()).toEqual([])
  }, minutes)

  it("are pushed with a token that opens nothing else", async () => {
    const [instance] = await cluster.ask<readonly { id: string; release: string }[]>(
      "GET",
      "/v1/apps/papi/servers",
    )
    const commit = (await cluster.app()).regions[0]?.serving?.commit
    const pushToken = readFileSync(join(cluster.dir, "server", "push-token"), "utf8").trim()
    const post = (path: string, body: object) =>
      fetch(`${cluster.url}/v1/apps/papi/${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${pushToken}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      })
    const measured = { instance: instance?.id, release: commit, metric: "orders", value: 3 }
    const kept = await post("measurements", { measurements: [measured] })
    expect([kept.status, await kept.json()]).toEqual([202, { ok: true, kept: 1 }])
    const wrong = await post("measurements", { measurements: [{ ...measured, metric: "order" }] })
    expect([wrong.status, wrong.headers.get("content-type")]).toEqual([
      422,
      expect.stringMatching(/^application\/problem\+json/),
    ])
    expect((await post("pause", { reason: "x" })).status).toBe(401)
  })

  it(
    "roll back a release whose answers are all well, by what its own page shows",
    async () => {
      cluster.commit("loses batches", "errors")
      const end = await cluster.until(
        "the way back",
        async () => {
          const view = await cluster.rollout(2)
          return view.summary.phase === "rolled-back" ? view : undefined
        },
        2 * minutes,
      )
      expect(end.look?.verdicts.find(({ metric }) => metric === "batches")).toMatchObject({
        kind: "worse",
        because: expect.stringMatching(/^4\d(\.\d)? % of .* requests failed, control 0 %/),
      })
      // Nobody pushes any: without data, or so soon that some might still come. Never well.
      const orders = end.look?.verdicts.find(({ metric }) => metric === "orders")
      expect(["nodata", "unsure"]).toContain(orders?.kind)
    },
    3 * minutes,
  )
})
