import type { Digest } from "../core/model/ids.ts"
import type { InstanceSpec } from "../core/pipeline/effects.ts"
import type { Compute, RunningInstance } from "../ports/compute.ts"

/** What every compute driver is asked to run: `server.js` beside a `papi.json`. Listens on HOST and PORT. */
export const contractServer = `
const http = require("http")
process.on("SIGTERM", () => {
  if (process.env.STUBBORN) return
  console.log("leaving")
  process.exit(0)
})
http.createServer((q, a) => {
  a.setHeader("x-instance", process.env.IMMUNITY_INSTANCE)
  if (q.url === "/crash") process.exit(7)
  if (q.url === "/die") process.kill(process.pid, "SIGKILL")
  if (q.url === "/who") return a.end(JSON.stringify({ uid: process.getuid(), pid: process.pid, env: process.env }))
  if (q.url === "/write") {
    let failed
    try { require("fs").writeFileSync("papi.json", "{}") } catch (error) { failed = error.code }
    return a.end(String(failed))
  }
  a.end("well")
}).listen(process.env.PORT, process.env.HOST || "127.0.0.1", () => console.log("up"))
`

/** What the engine orders of a server: an instance of `contractServer`; `run` is what differs from the usual. */
export const specOf = (id: string, digest: Digest, run: Partial<InstanceSpec["run"]> = {}): InstanceSpec => ({
  id,
  server: "local",
  region: "prod",
  release: "c".repeat(40),
  digest,
  run: {
    start: "node server.js",
    health: { path: "/", every: 100, timeout: 1_000, healthy: 1, unhealthy: 3 },
    drain: 1_000,
    env: {},
    keep: 1,
    ...run,
  },
})

/** A driver with nothing running, and an artifact of `contractServer`. */
export type ComputeUnderTest = {
  readonly compute: Compute
  readonly digest: Digest
  /** Another driver over the same things, as after a restart of the agent. */
  readonly reopen: () => Compute
  /** Kills the instance from outside of the driver, as the kernel would; absent: it is asked to kill itself. */
  readonly kill?: ((id: string) => Promise<void>) | undefined
  /** Root of the machine writes a file of a running instance; absent where nobody offers to. */
  readonly edit?: ((id: string, file: string, text: string) => Promise<void>) | undefined
  readonly log: (id: string) => string
  readonly close: () => Promise<void>
  /** Where its instances answer; on loopback alone when absent. */
  readonly reach?: RegExp | undefined
  /** What the driver says that it cannot see. */
  readonly blindTo?: { readonly memory?: boolean; readonly differences?: boolean } | undefined
  /** How long anything may take; two minutes when absent, for a machine that stands still at times. */
  readonly patienceMs?: number | undefined
}

/** What the rules of the contract say in. */
export class ComputeWorld {
  readonly under: ComputeUnderTest
  compute: Compute

  constructor(under: ComputeUnderTest) {
    this.under = under
    this.compute = under.compute
  }

  signal(): AbortSignal {
    return AbortSignal.timeout(2 * this.#patience)
  }

  get #patience(): number {
    return this.under.patienceMs ?? 120_000
  }

  spec(id: string, env: Readonly<Record<string, string>> = {}): InstanceSpec {
    return specOf(id, this.under.digest, { env })
  }

  start(id: string, env?: Readonly<Record<string, string>>): Promise<void> {
    return this.compute.start(this.spec(id, env), { app: "papi", epoch: 3, generation: 1 }, this.signal())
  }

  async stop(id: string, grace: number): Promise<void> {
    await this.compute.stop(id, grace, this.signal())
  }

  async ids(): Promise<readonly string[]> {
    return (await this.compute.list(this.signal())).map(({ id }) => id)
  }

  async look(id: string): Promise<RunningInstance> {
    const found = (await this.compute.list(this.signal())).find((running) => running.id === id)
    if (!found) throw new Error(`${id} is not in the list`)
    return found
  }

  ask(id: string, path: string): Promise<string> {
    return this.until(`${id} to answer ${path}`, async () => {
      const { address } = await this.look(id)
      if (address === undefined) return undefined
      const answer = await fetch(`http://${address}${path}`).catch(() => undefined)
      // Another program of this machine may have been faster on a port that was free.
      return answer?.headers.get("x-instance") === id ? answer.text() : undefined
    })
  }

  /** Asks for what ends the instance before it can answer. */
  async provoke(id: string, path: string): Promise<void> {
    await fetch(`http://${(await this.look(id)).address}${path}`).catch(() => undefined)
  }

  async kill(id: string): Promise<void> {
    if (this.under.kill) await this.under.kill(id)
    else await this.provoke(id, "/die")
  }

  ended(id: string): Promise<RunningInstance> {
    return this.until(`${id} to be told as ended`, async () => {
      const found = await this.look(id)
      return found.state === "ended" ? found : undefined
    })
  }

  /** Looks again until it is so; says what it waited for when it never is. */
  async until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
    const deadline = performance.now() + this.#patience
    while (performance.now() < deadline) {
      const found = await look()
      if (found !== undefined && found !== false) return found
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    throw new Error(`waited ${this.#patience / 1_000} s for ${what}`)
  }

  /** Nothing of one rule is left for the next. */
  async clear(): Promise<void> {
    for (const { id } of await this.compute.list(this.signal())) {
      await this.stop(id, 0)
      await this.compute.forget(id)
    }
  }
}
