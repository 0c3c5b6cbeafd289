import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, existsSync, openSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { AppView, RolloutView, TimelineEntry } from "../../src/api/contract/views.ts"

export type ControlPlaneOptions = {
  /** Its data folder. */
  readonly dir: string
  readonly port: number
  readonly args?: readonly string[] | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Words before the program: another namespace, a limit. */
  readonly before?: readonly string[] | undefined
  /** Of another build; ours by default. */
  readonly program?: string | undefined
  readonly tokenFile?: string | undefined
  /** Where it answers, when it does not live in our network. */
  readonly host?: string | undefined
}

/** One control plane as a process that may die at any moment. */
export class ControlPlane {
  readonly options: ControlPlaneOptions
  program: string
  /** By `performance.now()`, when it died last. */
  diedAt = performance.now()
  starts = 0
  #child: ChildProcess | undefined
  #stays = false
  #failpoint: (start: number) => string | undefined = () => undefined

  constructor(options: ControlPlaneOptions) {
    this.options = options
    this.program = options.program ?? "bin/immunity"
  }

  get url(): string {
    return `http://${this.options.host ?? "127.0.0.1"}:${this.options.port}`
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get lives(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Starts it, and again whenever it dies; each start may die at a failpoint of its own. */
  stay(failpoint: (start: number) => string | undefined = () => undefined): void {
    this.#failpoint = failpoint
    this.#stays = true
    if (!this.lives) this.#start()
  }

  /** Once: it stays dead when it dies. */
  start(): void {
    this.#stays = false
    this.#start()
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name)
  }

  /** Ends it for good, and resolves when it is gone. */
  async end(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.#stays = false
    const child = this.#child
    if (!child || !this.lives) return
    const gone = new Promise((resolve) => child.once("exit", resolve))
    child.kill(signal)
    await gone
  }

  get token(): string {
    return readFileSync(this.options.tokenFile ?? join(this.options.dir, "token"), "utf8").trim()
  }

  /** What it wrote into its log. */
  get log(): string {
    return this.#read(join(this.options.dir, "serve.log"))
  }

  /** What it said when it ended against its will. */
  get lastWords(): string {
    return this.#read(`${this.options.dir}.stderr`).slice(-1_500)
  }

  #read(file: string): string {
    return existsSync(file) ? readFileSync(file, "utf8") : ""
  }

  async ask<T>(method: string, path: string, body?: unknown, key?: string): Promise<T> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        "content-type": "application/json",
        ...(key === undefined ? {} : { "idempotency-key": key }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(180_000),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as T
  }

  app(name = "papi"): Promise<AppView> {
    return this.ask("GET", `/v1/apps/${name}`)
  }

  rollout(number: number, name = "papi"): Promise<RolloutView> {
    return this.ask("GET", `/v1/apps/${name}/rollouts/${number}`)
  }

  timeline(name = "papi"): Promise<readonly TimelineEntry[]> {
    return this.ask("GET", `/v1/apps/${name}/timeline?limit=1000`)
  }

  #start(): void {
    const { dir, port, args = [], env = {}, before = [] } = this.options
    const failpoint = this.#failpoint(this.starts++)
    const words = [...before, this.program, "serve", "--dir", dir, "--port", String(port), ...args]
    const [file = "", ...rest] = words
    const own = failpoint === undefined ? {} : { IMMUNITY_FAILPOINT: failpoint }
    const errors = openSync(`${dir}.stderr`, "a")
    const child = spawn(file, rest, {
      env: { ...process.env, ...env, ...own },
      stdio: ["ignore", "ignore", errors],
    })
    closeSync(errors)
    this.#child = child
    child.on("exit", () => {
      this.diedAt = performance.now()
      if (this.#stays) this.#start()
    })
  }
}

/**
 * Waits until a commit has reached one of these phases in a region; opens its gate on the way. A control plane that
 * is dead at the moment is asked again.
 */
export async function phaseOf(
  plane: ControlPlane,
  commit: string,
  region = "production",
  app = "papi",
): Promise<string> {
  const { rollouts } = await plane.app(app)
  const mine = rollouts.find((rollout) => rollout.region === region && commit.startsWith(rollout.commit))
  if (mine?.phase === "queued" && mine.asks)
    await plane.ask("POST", `/v1/apps/${app}/rollouts/${mine.number}/approve`, { reason: "a test" })
  return mine?.phase ?? "none"
}
