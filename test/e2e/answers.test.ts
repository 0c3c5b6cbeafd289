import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { RolloutView } from "../../src/api/contract/views.ts"
import { Cluster } from "../support/cluster.ts"
import { immunity, type Ran } from "../support/run.ts"
import { minutes } from "../support/until.ts"

const pipeline = ([sandbox, production]: readonly number[]): string => `version: 1
app: papi
start: node server.js
run: { health: { path: /healthz, every: 200ms, healthy: 1 }, drain: 1s }
regions:
  - { name: sandbox, listen: ${sandbox}, mirror: { from: production, deny: ["/once*"] }, compare: { for: 3s, warmup: 0s, minSamples: 20 } }
  - { name: production, listen: ${production}, gate: button, size: 2, bake: 0s }
metrics: none
answers: { every: 500ms }
lock: { on: [] }
`

/** Answers always and quickly; a flaw changes what it says, and nothing else. */
const server = `import { readFileSync } from "node:fs"
import { createServer } from "node:http"
const { flaw } = JSON.parse(readFileSync(new URL("./papi.json", import.meta.url), "utf8"))
const asked = []
createServer((request, response) => {
  if (request.headers["x-mirror"]) asked.push(request.url + " " + (request.headers.cookie ?? ""))
  response.writeHead(200, { "content-type": "application/json" })
  if (request.url === "/asked") return response.end(JSON.stringify(asked))
  const good = { price: 42, tax: 8, at: Math.random(), mail: "ana@example.com" }
  response.end(JSON.stringify(flaw === "none" ? good : { ...good, price: "42.00", tax: undefined }))
}).listen(Number(process.env.PORT), "127.0.0.1")
`

describe("a release that answers otherwise", () => {
  let cluster: Cluster
  let users: NodeJS.Timeout

  const run = (...args: readonly string[]): Promise<Ran> =>
    immunity(args, {
      IMMUNITY_SERVER: cluster.url,
      IMMUNITY_DIR: join(cluster.dir, "server"),
      IMMUNITY_ACTOR: "Mira",
    })

  const rolloutAt = async (region: string, phases: readonly string[], after = 0): Promise<RolloutView> =>
    cluster.until(
      `${region} to be ${phases.join(" or ")}`,
      async () => {
        const found = (await cluster.app()).rollouts.find(
          (one) => one.region === region && one.number > after && phases.includes(one.phase),
        )
        return found && cluster.rollout(found.number)
      },
      2 * minutes,
    )

  beforeAll(async () => {
    cluster = await Cluster.open(2, pipeline)
    cluster.serve()
    cluster.commit("first version", "none", { "server.js": server })
    await cluster.until(
      "the server",
      async () => {
        const ran = await run("app", "add", cluster.repository, "--name", "papi")
        return ran.code === 0 ? ran : undefined
      },
      minutes,
    )
    const gate = await cluster.until(
      "the gate",
      async () => (await cluster.app()).rollouts.find(({ asks }) => asks),
      2 * minutes,
    )
    await run("approve", `papi#${gate.number}`, "--reason", "first", "--yes", "--detach")
    await rolloutAt("production", ["succeeded"])
    let n = 0
    users = setInterval(() => {
      const path = n++ % 5 === 0 ? "/once/17" : `/items/${n}?page=${n}`
      const headers = { cookie: "session=1" }
      void fetch(`http://127.0.0.1:${cluster.ports[2]}${path}`, { headers }).catch(() => undefined)
    }, 20)
  }, 5 * minutes)

  afterAll(async () => {
    clearInterval(users)
    expect(await cluster.close()).toEqual([])
  }, minutes)

  it(
    "is stopped by what users happen to ask; a person accepts the changes, and it passes as a new attempt",
    async () => {
      cluster.commit("prices as texts", "wrong")
      const stopped = await rolloutAt("sandbox", ["failed", "rolled-back"], 2)
      const { number } = stopped.summary
      const found = stopped.answers?.paths.filter(({ state }) => state === "proven") ?? []
      expect(found.map(({ endpoint, path }) => `${endpoint} ${path}`).toSorted()).toEqual([
        "GET /items/:id body.price",
        "GET /items/:id body.tax",
      ])
      expect(JSON.stringify(stopped)).not.toContain("ana@example")

      const page = `${cluster.url}/a/papi/r/${number}`
      expect(await (await fetch(page)).text()).toContain("Accept this change")
      const token = readFileSync(join(cluster.dir, "server", "token"), "utf8").trim()
      const form = { rollout: String(number), path: "GET /items/:id body.price", reason: "texts from now on" }
      const sent = await fetch(`${cluster.url}/a/papi/do/accept-answers`, {
        method: "POST",
        headers: { cookie: `immunity=${token}`, "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams(form),
        redirect: "manual",
      })
      expect(sent.status).toBe(303)
      const listed = await run("answers", "list", "papi")
      expect(listed.stdout).toMatch(/accepted +GET \/items\/:id body\.price/)
      expect(listed.stdout).toMatch(/proven +GET \/items\/:id body\.tax/)
      const told = await run("answers", "accept", `papi#${number}`, "body.tax", "--reason", "gone", "--yes")
      expect(told.code, told.stderr).toBe(0)
      const events = (await cluster.timeline()).filter(({ type }) => type === "answers-accepted")
      expect(events.map(({ by, because }) => [by, because])).toContainEqual(["Mira", "gone"])
      expect(events).toHaveLength(2)
      const back = ["withdraw", `papi#${number}`, "body.tax", "--reason", "not yet", "--yes"]
      const withdrawn = await run("answers", ...back)
      expect(withdrawn.code, withdrawn.stderr).toBe(0)
      expect((await run("answers", "list", "papi")).stdout).toMatch(/proven +GET \/items\/:id body\.tax/)
      expect(await (await fetch(page)).text()).toContain("Take back: GET /items/:id body.price")
      const withForm = await fetch(`${cluster.url}/a/papi/do/withdraw-answers`, {
        method: "POST",
        headers: { cookie: `immunity=${token}`, "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams(form),
        redirect: "manual",
      })
      expect(withForm.status).toBe(303)
      expect((await run("answers", "list", "papi")).stdout).toMatch(/proven +GET \/items\/:id body\.price/)
      const again = ["GET /items/:id body.price", "body.tax", "--reason", "gone", "--yes"]
      expect((await run("answers", "accept", `papi#${number}`, ...again)).code).toBe(0)

      const retried = await run("retry", `papi#${number}`, "--reason", "accepted", "--yes", "--detach")
      expect(retried.code, retried.stderr).toBe(0)
      const passed = await rolloutAt("sandbox", ["succeeded"], number)
      expect(passed.answers).toMatchObject({
        accepted: ["GET /items/:id body.price", "body.tax"],
      })
      expect(passed.answers?.compared).toBeGreaterThanOrEqual(20)
      expect(passed.answers?.paths.every(({ state }) => state === "accepted")).toBe(true)

      const seen = (await (await fetch(`http://127.0.0.1:${cluster.ports[1]}/asked`)).json()) as string[]
      expect(seen.length).toBeGreaterThan(20)
      expect(seen.filter((one) => one.startsWith("/once") || one.includes("session"))).toEqual([])
    },
    5 * minutes,
  )
})
