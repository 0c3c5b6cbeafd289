import { execFileSync } from "node:child_process"
import { chmodSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { connectAgent, shutdownAgent } from "../../src/agent/client.ts"
import type { AppView, RolloutView, TimelineEntry } from "../../src/api/contract/views.ts"
import { freePorts } from "../../src/main/demo/free-ports.ts"
import { kill } from "../../src/main/demo/interrupted.ts"
import { leftovers, openFolders, processesOf, temporaryFolder } from "../../src/main/demo/leftovers.ts"
import { passable } from "../../src/main/folders.ts"
import type { Agent } from "../../src/ports/agent.ts"
import { ControlPlane, type ControlPlaneOptions, phaseOf } from "./control-plane.ts"
import { minutes, until } from "./until.ts"

export type ClusterOptions = Pick<ControlPlaneOptions, "env" | "before" | "program" | "args"> & {
  /** The application that is deployed; the demo's by default. */
  readonly app?: string | undefined
  /** Called with the folder of everything before anything is in it. */
  readonly prepare?: ((dir: string) => void) | undefined
  /** Called with it when everything has ended, before it is removed. */
  readonly dispose?: ((dir: string) => void) | undefined
}

/** A control plane with its agent, its router and a real repository, in a folder and on ports of their own. */
export class Cluster {
  readonly dir = temporaryFolder("immunity-cluster")
  readonly ports: readonly number[]
  readonly plane: ControlPlane
  readonly #others: ControlPlane[] = []
  readonly #dispose: (dir: string) => void

  private constructor(ports: readonly number[], options: ClusterOptions) {
    this.ports = ports
    this.#dispose = options.dispose ?? (() => undefined)
    this.plane = new ControlPlane({ ...options, dir: join(this.dir, "server"), port: ports[0] ?? 0 })
  }

  /** `pipeline` gets `count` free ports and answers immunity.yaml. */
  static async open(
    count: number,
    pipeline: (ports: readonly number[]) => string,
    options: ClusterOptions = {},
  ): Promise<Cluster> {
    const cluster = new Cluster(await freePorts(count + 1), options)
    chmodSync(cluster.dir, passable())
    options.prepare?.(cluster.dir)
    cluster.repositoryOf("repository", options.app ?? "examples/papi", pipeline(cluster.ports.slice(1)))
    return cluster
  }

  get repository(): string {
    return join(this.dir, "repository")
  }

  get url(): string {
    return this.plane.url
  }

  get starts(): number {
    return this.plane.starts
  }

  /** The agent of this machine, asked past every control plane. */
  get agent(): Agent {
    return connectAgent({ server: "local", socketPath: this.#agentSocket })
  }

  get #agentSocket(): string {
    return join(this.dir, "server", "agent", "agent.sock")
  }

  /** Another control plane of the group, with a data folder of its own and the agent of the first. */
  beside(name: string, port: number, more: Partial<ControlPlaneOptions> = {}): ControlPlane {
    const shared = join(this.dir, "server")
    const args = ["--agent-dir", shared, "--token-file", join(shared, "token"), ...(more.args ?? [])]
    const tokenFile = join(shared, "token")
    const plane = new ControlPlane({ ...more, dir: join(this.dir, name), port, args, tokenFile })
    this.#others.push(plane)
    return plane
  }

  /** The token that a group of control planes shares; before the first of them starts. */
  shareToken(): void {
    mkdirSync(join(this.dir, "server"), { recursive: true, mode: passable() })
    const token = "a-token-that-all-control-planes-share"
    writeFileSync(join(this.dir, "server", "token"), `${token}\n`, { mode: 0o600 })
  }

  /** Starts the control plane, and again whenever it dies; each start may die at a failpoint of its own. */
  serve(failpoint?: (start: number) => string | undefined): void {
    this.plane.stay(failpoint)
  }

  kill(): void {
    this.plane.signal("SIGKILL")
  }

  /** Makes the application known to a control plane that is just starting. */
  async add(plane = this.plane, app = "papi", url = this.repository): Promise<void> {
    const known = async () => plane.app(app).catch(() => undefined)
    await until(
      "the server",
      async () => (await known()) ?? plane.ask("POST", "/v1/apps", { url, app }),
      4 * minutes,
    )
  }

  /** A fresh repository in the folder of everything; its path. */
  repositoryOf(name: string, from: string, pipeline: string): string {
    const path = join(this.dir, name)
    mkdirSync(path)
    cpSync(from, path, { recursive: true })
    writeFileSync(join(path, "immunity.yaml"), pipeline)
    git(path, "init", "--quiet", "--initial-branch=main")
    return path
  }

  commit(
    subject: string,
    flaw: string,
    files: Readonly<Record<string, string>> = {},
    repository = this.repository,
  ): string {
    const papi = `${JSON.stringify({ flaw, speed: 2, subject })}\n`
    for (const [name, text] of Object.entries({ "papi.json": papi, ...files })) {
      mkdirSync(dirname(join(repository, name)), { recursive: true })
      writeFileSync(join(repository, name), text)
    }
    git(repository, "add", "--all")
    git(repository, "-c", "user.name=Ana", "-c", "user.email=ana@example.com", "commit", "-qm", subject)
    return git(repository, "rev-parse", "HEAD").trim()
  }

  app(): Promise<AppView> {
    return this.plane.app()
  }

  rollout(number: number): Promise<RolloutView> {
    return this.plane.rollout(number)
  }

  timeline(): Promise<readonly TimelineEntry[]> {
    return this.plane.timeline()
  }

  ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.plane.ask(method, path, body)
  }

  /** Asks until it finds what it waits for; a control plane that is dead at the moment is asked again. */
  until<T>(what: string, look: () => Promise<T | undefined>, patienceMs: number): Promise<T> {
    return until(what, look, patienceMs, async () => {
      const app = await this.app().catch(() => undefined)
      return app ? `${app.sentence} ${JSON.stringify(app.problems)}` : ""
    })
  }

  /** Waits until a commit is in one of these phases in production; opens its gate on the way. The phase. */
  climb(
    commit: string,
    phases: string | readonly string[],
    plane = this.plane,
    patienceMs = 4 * minutes,
  ): Promise<string> {
    const wanted = [phases].flat()
    return this.until(
      `${commit.slice(0, 7)} ${wanted.join(" or ")}`,
      async () => {
        const phase = await phaseOf(plane, commit)
        return wanted.includes(phase) ? phase : undefined
      },
      patienceMs,
    )
  }

  /** Waits until nothing moves and every region has what it should have. */
  quiet(plane = this.plane, app = "papi"): Promise<AppView> {
    return this.until(
      "a quiet end",
      async () => {
        const now = await plane.app(app)
        const isQuiet = now.regions.every((region) => !region.active && region.ready === region.size)
        return isQuiet ? now : undefined
      },
      2 * minutes,
    )
  }

  /** Ends everything; what is left over afterwards. */
  async close(): Promise<readonly string[]> {
    const ended = Promise.all([this.plane, ...this.#others].map((plane) => plane.end()))
    await shutdownAgent(this.#agentSocket, AbortSignal.timeout(60_000)).catch(() => undefined)
    await ended
    // Whoever watched over the agent is gone now: a last one may have been started meanwhile.
    await shutdownAgent(this.#agentSocket, AbortSignal.timeout(60_000)).catch(() => undefined)
    for (let tries = 0; processesOf(this.dir).length > 0 && tries < 100; tries++)
      await new Promise((resolve) => setTimeout(resolve, 100))
    const left = (await leftovers(this.dir, this.ports)).filter((name) => name !== this.dir)
    for (const { pid } of processesOf(this.dir)) kill(pid)
    this.#dispose(this.dir)
    if (existsSync(this.dir)) openFolders(this.dir)
    rmSync(this.dir, { recursive: true, force: true })
    return left
  }
}

/** Runs git away from every configuration but the repository's own. */
export function git(repository: string, ...args: readonly string[]): string {
  const env = { PATH: process.env.PATH ?? "", HOME: repository, GIT_CONFIG_NOSYSTEM: "1" }
  return execFileSync("git", args, { cwd: repository, encoding: "utf8", env })
}
