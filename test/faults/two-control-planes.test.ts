import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import type { AppView, TimelineEntry } from "../../src/api/contract/views.ts"
import { Traffic } from "../../src/main/demo/traffic.ts"
import { Cluster } from "../support/cluster.ts"
import { PostgresServer, postgresBin } from "../support/postgres.ts"

const minutes = 60_000
const token = "a-token-that-both-control-planes-share"

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

/** One of several control planes on one database, with the agent of the machine. */
class Plane {
  readonly #cluster: Cluster
  readonly #name: string
  readonly #port: number
  readonly #db: string
  child: ChildProcess | undefined

  constructor(cluster: Cluster, name: string, port: number, db: string) {
    this.#cluster = cluster
    this.#name = name
    this.#port = port
    this.#db = db
  }

  start(): void {
    const { dir } = this.#cluster
    const args = ["serve", "--dir", join(dir, this.#name), "--port", String(this.#port)]
    const shared = ["--agent-dir", join(dir, "server"), "--token-file", join(dir, "server", "token")]
    const env = { ...process.env, IMMUNITY_DB: this.#db }
    this.child = spawn("bin/immunity", [...args, ...shared], { env, stdio: "ignore" })
  }

  async kill(): Promise<void> {
    const child = this.child
    this.child = undefined
    if (!child || child.exitCode !== null) return
    const gone = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGKILL")
    await gone
  }

  async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(`http://127.0.0.1:${this.#port}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as T
  }

  app(): Promise<AppView> {
    return this.ask("GET", "/v1/apps/papi")
  }
}

describe.skipIf(!postgresBin)("two control planes on one PostgreSQL", () => {
  it(
    "share the work: orders reach the one that holds it, and when it dies or freezes the other goes on",
    async () => {
      const database = new PostgresServer(postgresBin ?? "")
      const cluster = await Cluster.open(3, pipeline)
      const traffic = new Traffic()
      const db = await database.start().then(() => database.create("immunity"))
      mkdirSync(join(cluster.dir, "server"), { mode: 0o700 })
      writeFileSync(join(cluster.dir, "server", "token"), `${token}\n`, { mode: 0o600 })
      const one = new Plane(cluster, "one", cluster.ports[0] ?? 0, db)
      const two = new Plane(cluster, "two", cluster.ports[3] ?? 0, db)
      try {
        one.start()
        const add = { url: cluster.repository, app: "papi" }
        await cluster.until("the first control plane", () => one.ask("POST", "/v1/apps", add), minutes)
        two.start()
        // The second one hears of everything and takes orders, though the first one holds the application.
        const first = cluster.commit("first", "none")
        await climb(cluster, two, first, "succeeded")
        traffic.start([`127.0.0.1:${cluster.ports[2]}`], 100)

        const good = cluster.commit("good", "none")
        await under(cluster, two, good, "shifting")
        await one.kill()
        await climb(cluster, two, good, "succeeded")

        one.start()
        const bad = cluster.commit("bad", "errors")
        await under(cluster, one, bad, "verifying", "shifting", "aborting", "rolling-back", "rolled-back")
        two.child?.kill("SIGSTOP")
        await climb(cluster, one, bad, "rolled-back")
        two.child?.kill("SIGCONT")

        const app = await cluster.until(
          "a quiet end that both tell alike",
          async () => {
            const [a, b] = [await one.app(), await two.app()]
            const quiet = a.regions.every(
              (region) => region.active === undefined && region.ready === region.size,
            )
            return quiet && a.version === b.version ? a : undefined
          },
          minutes,
        )
        expect(app.locks).toHaveLength(1)
        const timeline = await two.ask<readonly TimelineEntry[]>("GET", "/v1/apps/papi/timeline?limit=1000")
        expect(timeline.map((entry) => entry.version)).toEqual(timeline.map((_, i) => timeline.length - i))
        await traffic.stop()
        const unexplained = traffic.seen.filter((request) => !request.ok && request.release === undefined)
        expect(unexplained).toEqual([])
        expect(traffic.seen.length).toBeGreaterThan(500)
      } finally {
        await traffic.stop()
        two.child?.kill("SIGCONT")
        await Promise.all([one.kill(), two.kill()])
        expect(await cluster.close()).toEqual([])
        await database.close()
      }
    },
    6 * minutes,
  )
})

async function under(
  cluster: Cluster,
  plane: Plane,
  commit: string,
  ...phases: readonly string[]
): Promise<void> {
  await cluster.until(
    `${commit.slice(0, 7)} in production ${phases.join(" or ")}`,
    async () => (phases.includes(await phaseOf(plane, commit)) ? true : undefined),
    2 * minutes,
  )
}

const climb = (cluster: Cluster, plane: Plane, commit: string, end: string): Promise<void> =>
  under(cluster, plane, commit, end)

/** Of a commit in production; opens the gate on the way. */
async function phaseOf(plane: Plane, commit: string): Promise<string> {
  const { rollouts } = await plane.app()
  const mine = rollouts.find(
    ({ region, commit: short }) => region === "production" && commit.startsWith(short),
  )
  if (mine?.phase === "queued" && mine.asks)
    await plane.ask("POST", `/v1/apps/papi/rollouts/${mine.number}/approve`, { reason: "a test" })
  return mine?.phase ?? "none"
}
