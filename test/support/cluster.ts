import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { shutdownAgent } from "../../src/agent/client.ts"
import type { AppView, RolloutView, TimelineEntry } from "../../src/api/contract/views.ts"
import { leftovers, openFolders, processesOf } from "../../src/main/demo/leftovers.ts"
import { passable } from "../../src/main/folders.ts"

/** A control plane as a process that may die at any moment, with its agent, its router and a real repository. */
export class Cluster {
  readonly dir = mkdtempSync(join(tmpdir(), "immunity-cluster-"))
  readonly ports: readonly number[]
  starts = 0
  #child: ChildProcess | undefined
  #failpoint: (start: number) => string | undefined = () => undefined
  #ended = false

  private constructor(ports: readonly number[]) {
    this.ports = ports
  }

  /** `pipeline` gets free ports and answers immunity.yaml. */
  static async open(count: number, pipeline: (ports: readonly number[]) => string): Promise<Cluster> {
    const cluster = new Cluster(await freePorts(count + 1))
    chmodSync(cluster.dir, passable())
    mkdirSync(cluster.repository)
    cpSync("examples/papi", cluster.repository, { recursive: true })
    writeFileSync(join(cluster.repository, "immunity.yaml"), pipeline(cluster.ports.slice(1)))
    cluster.#git("init", "--quiet", "--initial-branch=main")
    return cluster
  }

  get repository(): string {
    return join(this.dir, "repository")
  }

  get url(): string {
    return `http://127.0.0.1:${this.ports[0]}`
  }

  /** Starts the control plane, and again whenever it dies; each start may die at a failpoint of its own. */
  serve(failpoint: (start: number) => string | undefined = () => undefined): void {
    this.#failpoint = failpoint
    if (!this.#child) this.#start()
  }

  kill(): void {
    this.#child?.kill("SIGKILL")
  }

  commit(subject: string, flaw: string, files: Readonly<Record<string, string>> = {}): string {
    writeFileSync(join(this.repository, "papi.json"), `${JSON.stringify({ flaw, speed: 2, subject })}\n`)
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.repository, name), text)
    this.#git("add", "--all")
    this.#git("-c", "user.name=Ana", "-c", "user.email=ana@example.com", "commit", "--quiet", "-m", subject)
    return this.#git("rev-parse", "HEAD").trim()
  }

  app(): Promise<AppView> {
    return this.ask("GET", "/v1/apps/papi")
  }

  rollout(number: number): Promise<RolloutView> {
    return this.ask("GET", `/v1/apps/papi/rollouts/${number}`)
  }

  timeline(): Promise<readonly TimelineEntry[]> {
    return this.ask("GET", "/v1/apps/papi/timeline?limit=1000")
  }

  async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const token = readFileSync(join(this.dir, "server", "token"), "utf8").trim()
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as T
  }

  /** Asks until it finds what it waits for; a control plane that is dead at the moment is asked again. */
  async until<T>(what: string, look: () => Promise<T | undefined>, patienceMs: number): Promise<T> {
    const deadline = Date.now() + patienceMs
    let last = ""
    while (Date.now() < deadline) {
      try {
        const found = await look()
        if (found !== undefined) return found
      } catch (error) {
        last = error instanceof Error ? error.message : String(error)
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const app = await this.app().catch(() => undefined)
    throw new Error(
      `waited for ${what}; now: ${app?.sentence ?? last} ${JSON.stringify(app?.problems ?? [])}`,
    )
  }

  /** Ends everything; what is left over afterwards. */
  async close(): Promise<readonly string[]> {
    this.#ended = true
    await shutdownAgent(join(this.dir, "server", "agent", "agent.sock"), AbortSignal.timeout(20_000)).catch(
      () => undefined,
    )
    this.#child?.kill("SIGKILL")
    for (let tries = 0; processesOf(this.dir).length > 0 && tries < 100; tries++)
      await new Promise((resolve) => setTimeout(resolve, 100))
    const left = (await leftovers(this.dir, this.ports)).filter((name) => name !== this.dir)
    for (const { pid } of processesOf(this.dir)) process.kill(pid, "SIGKILL")
    openFolders(this.dir)
    rmSync(this.dir, { recursive: true, force: true })
    return left
  }

  #start(): void {
    const failpoint = this.#failpoint(this.starts++)
    const env = { ...process.env, ...(failpoint === undefined ? {} : { IMMUNITY_FAILPOINT: failpoint }) }
    const args = ["serve", "--dir", join(this.dir, "server"), "--port", String(this.ports[0])]
    const child = spawn("bin/immunity", args, { env, stdio: "ignore" })
    this.#child = child
    child.on("exit", () => {
      if (!this.#ended) this.#start()
    })
  }

  #git(...args: readonly string[]): string {
    const env = { PATH: process.env.PATH ?? "", HOME: this.repository, GIT_CONFIG_NOSYSTEM: "1" }
    return execFileSync("git", args, { cwd: this.repository, encoding: "utf8", env })
  }
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer()
      return new Promise<typeof server>((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)))
    }),
  )
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === "object" && address ? address.port : 0
  })
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))))
  return ports
}
