import { type ChildProcess, spawn } from "node:child_process"
import { chmodSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { connectAgent, shutdownAgent } from "../../src/agent/client.ts"
import type { AppView, InstanceView, InvitationView, ServerView } from "../../src/api/contract/views.ts"
import { buildBaseImage } from "../../src/main/containers/base-image.ts"
import { type OwnEngine, startEngine } from "../../src/main/containers/own-engine.ts"
import { freePorts } from "../../src/main/demo/free-ports.ts"
import { kill } from "../../src/main/demo/interrupted.ts"
import { processesOf, takeAway, temporaryFolder } from "../../src/main/demo/leftovers.ts"
import { passable } from "../../src/main/folders.ts"
import { git } from "../support/cluster.ts"
import type { Hosts } from "./network.ts"

const names = ["a", "b", "c", "d", "e"] as const

/** What is deployed: answers after a moment, says what it is, and ends politely. */
const program = `import { createServer } from "node:http"
const { speed } = JSON.parse((await import("node:fs")).readFileSync(new URL("./shop.json", import.meta.url), "utf8"))
const server = createServer((request, response) => {
  setTimeout(() => response.end(process.env.IMMUNITY_INSTANCE), request.url === "/healthz" ? 0 : speed)
})
server.keepAliveTimeout = 60_000
server.listen(Number(process.env.PORT), process.env.HOST ?? "127.0.0.1")
process.on("SIGTERM", () => server.close(() => process.exit(0)))
`

/** The control plane and its router on this machine, an agent on each host, and a repository. */
export class Site {
  readonly dir = temporaryFolder("immunity-hosts")
  readonly size: number
  readonly #hosts: Hosts
  readonly #isContained: boolean
  readonly #engines: OwnEngine[] = []
  readonly #children: ChildProcess[] = []
  #api = 0
  listen = 0

  /** `isContained`: instances are containers, of an engine on each host. */
  constructor(hosts: Hosts, size: number, isContained: boolean) {
    this.#hosts = hosts
    this.#isContained = isContained
    this.size = size
    chmodSync(this.dir, passable())
  }

  get servers(): readonly string[] {
    return names.slice(0, this.#hosts.count)
  }

  async open(): Promise<void> {
    const [api = 0, listen = 0, door = 0] = await freePorts(3)
    this.#api = api
    this.listen = listen
    this.#start("serve", [], {}, [
      ...["serve", "--dir", this.#at("server"), "--port", String(api)],
      ...["--agents", `${this.#hosts.gateway}:${door}`],
    ])
    await this.until("the control plane to answer", () => this.ask("GET", "/v1/servers"))
    const engines = this.#isContained ? await this.#startEngines() : []
    await Promise.all(this.servers.map((server, host) => this.#join(server, host, engines[host])))
    await this.until("all servers to answer", async () => {
      const known = await this.ask<readonly ServerView[]>("GET", "/v1/servers")
      return (
        this.servers.every((server) => known.some((one) => one.server === server && one.answers)) || undefined
      )
    })
    // The first server of a region builds; the others are sent what it built.
    this.#repository(engines[0] && (await buildBaseImage(engines[0].socket)))
  }

  async #startEngines(): Promise<readonly OwnEngine[]> {
    for (const [host, server] of this.servers.entries()) {
      const engine = await startEngine(this.#at(`pod-${server}`), this.#hosts.on(host))
      if ("impossible" in engine) throw new Error(engine.impossible)
      this.#engines.push(engine)
    }
    return this.#engines
  }

  async #join(server: string, host: number, engine: OwnEngine | undefined): Promise<void> {
    const { token, to } = await this.ask<InvitationView>("POST", "/v1/servers/invitations", { server })
    const [before = "", ...others] = this.#hosts.on(host)
    const address = `${this.#hosts.address(host)}:7301`
    this.#start(server, [before, ...others], { IMMUNITY_JOIN_TOKEN: token }, [
      ...["agent", "join", "--to", to, "--address", address, "--dir", this.#at(server)],
      ...(engine ? ["--compute", "docker", "--engine", engine.socket] : []),
    ])
  }

  #start(
    name: string,
    before: readonly string[],
    more: Readonly<Record<string, string>>,
    args: readonly string[],
  ): void {
    const log = openSync(this.#at(`${name}.log`), "a", 0o600)
    const [file = "", ...rest] = [...before, "bin/immunity", ...args]
    this.#children.push(
      spawn(file, rest, { env: { ...process.env, ...more }, stdio: ["ignore", log, log], detached: true }),
    )
  }

  #repository(base: string | undefined): void {
    mkdirSync(this.#at("repository"))
    this.#write("server.js", program)
    this.#write("package.json", '{ "type": "module" }\n')
    if (base !== undefined)
      this.#write("Dockerfile", `FROM ${base}\nWORKDIR /app\nCOPY package.json server.js shop.json ./\n`)
    this.#write(
      "immunity.yaml",
      `version: 1
app: shop
start: node server.js
run: { health: { path: /healthz, every: 1s }, drain: 2s, keep: 1 }
regions:
  - name: prod
    servers: [${this.servers.join(", ")}]
    size: ${this.size}
    listen: ${this.listen}
    strategy: canary
    canary: [20%, 50%, 100%]
    pause: 3s
    bake: 2s
    deadline: 60s
`,
    )
    this.#git("init", "--quiet", "--initial-branch=main")
  }

  commit(subject: string, speed: number): string {
    this.#write("shop.json", `${JSON.stringify({ speed, subject })}\n`)
    this.#git("add", "--all")
    this.#git("-c", "user.name=Ana", "-c", "user.email=ana@example.com", "commit", "--quiet", "-m", subject)
    return this.#git("rev-parse", "HEAD").trim()
  }

  app(): Promise<AppView> {
    return this.ask("GET", "/v1/apps/shop")
  }

  instances(): Promise<readonly InstanceView[]> {
    return this.ask("GET", "/v1/apps/shop/servers")
  }

  /** What really runs on a host, asked on the host itself: also while nobody else can reach it. */
  async running(server: string): Promise<readonly string[]> {
    const agent = connectAgent({ server, socketPath: join(this.#at(server), "agent.sock") })
    const { instances } = await agent.observe(["shop"], AbortSignal.timeout(10_000))
    return instances.filter(({ state }) => state !== "ended").map(({ id }) => id)
  }

  async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const token = readFileSync(join(this.#at("server"), "token"), "utf8").trim()
    const answer = await fetch(`http://127.0.0.1:${this.#api}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as T
  }

  async until<T>(what: string, look: () => Promise<T | undefined>, patienceMs = 120_000): Promise<T> {
    const deadline = Date.now() + patienceMs
    let last = ""
    while (Date.now() < deadline) {
      try {
        const found = await look()
        if (found !== undefined) return found
      } catch (error) {
        last = error instanceof Error ? error.message : String(error)
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    const app = await this.app().catch(() => undefined)
    throw new Error(
      `waited for ${what}; now: ${app?.sentence ?? last} ${JSON.stringify(app?.problems ?? [])}`,
    )
  }

  /** Ends everything; what would not end by itself, and was ended all the same. */
  async close(keep: boolean): Promise<readonly string[]> {
    const folders = [...this.servers.map((server) => this.#at(server)), join(this.#at("server"), "agent")]
    // First who would start an agent again, then the agents with all that they run.
    this.#children[0]?.kill("SIGKILL")
    await Promise.all(
      folders.map((folder) =>
        shutdownAgent(join(folder, "agent.sock"), AbortSignal.timeout(20_000)).catch(() => undefined),
      ),
    )
    // Whoever watched over the agent is gone now: a last one may have been started meanwhile.
    await shutdownAgent(join(folders.at(-1) ?? "", "agent.sock"), AbortSignal.timeout(20_000)).catch(
      () => undefined,
    )
    for (const engine of this.#engines) engine.close()
    for (let tries = 0; processesOf(this.dir).length > 0 && tries < 100; tries++)
      await new Promise((resolve) => setTimeout(resolve, 100))
    const left = processesOf(this.dir)
    for (const { pid } of left) kill(pid)
    if (!keep) takeAway(this.dir)
    return left.map(({ name }) => name)
  }

  #at(name: string): string {
    return join(this.dir, name)
  }

  #write(name: string, text: string): void {
    writeFileSync(join(this.#at("repository"), name), text)
  }

  #git(...args: readonly string[]): string {
    return git(this.#at("repository"), ...args)
  }
}
