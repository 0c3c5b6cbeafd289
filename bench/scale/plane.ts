import { type ChildProcess, fork, spawn } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Database } from "./fill.ts"
import type { Arrival, Config } from "./stand-in.ts"

/** Of /proc: one tick is 10 ms everywhere on Linux. */
const ticksPerSecond = 100

/** Seconds of CPU of a process and of all that it started, whether they have ended or not. */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const own = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) / ticksPerSecond
  return own + ofChildren(pid, cpuOf)
}

/** Megabytes of a process and of all that it started. */
export function residentMb(pid: number): number {
  const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
  return Math.round(Number(kb ?? 0) / 1024 + ofChildren(pid, residentMb))
}

function ofChildren(pid: number, of: (pid: number) => number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean)
  return children.reduce((sum, child) => {
    try {
      return sum + of(Number(child))
    } catch {
      // It ended between two looks; what it used is counted with its parent from now on.
      return sum
    }
  }, 0)
}

export const sleep = (forMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, forMs))

export async function until(
  what: string,
  ready: () => boolean | Promise<boolean>,
  withinMs: number,
): Promise<number> {
  const began = performance.now()
  while (!(await ready())) {
    if (performance.now() - began > withinMs) throw new Error(`not within ${withinMs / 1_000} s: ${what}`)
    await sleep(20)
  }
  return performance.now() - began
}

async function gone(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once("exit", resolve))
  child.kill(signal)
  await ended
}

/** The stand-in for an agent, its compute and its router. */
export class Server {
  readonly arrivals: Arrival[] = []
  /** Of which applications; kept beside, because it is asked all the time while ten thousand are awaited. */
  readonly apps = new Set<string>()
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start(dir: string, config: Omit<Config, "dir">): Promise<Server> {
    const file = join(dir, "stand-in.json")
    const full: Config = { ...config, dir: join(dir, "agent") }
    writeFileSync(file, JSON.stringify(full))
    const child = fork(new URL("stand-in.ts", import.meta.url), [file], { execArgv: [] })
    const server = new Server(child)
    await new Promise<void>((resolve, reject) => {
      child.once("exit", () => reject(new Error("the stand-in for an agent ended")))
      child.on("message", (message: "ready" | Arrival) => {
        if (message === "ready") resolve()
        else {
          server.arrivals.push(message)
          server.apps.add(message.app)
        }
      })
    })
    return server
  }

  forget(): void {
    this.arrivals.length = 0
    this.apps.clear()
  }

  stop(): Promise<void> {
    return gone(this.#child, "SIGKILL")
  }
}

/** `immunity serve`, as a user starts it. */
export class Plane {
  readonly dir: string
  readonly #database: Database
  readonly #port: number
  #child: ChildProcess | undefined

  constructor(dir: string, database: Database, port: number) {
    this.dir = dir
    this.#database = database
    this.#port = port
  }

  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error("the control plane does not run")
    return pid
  }

  /** Milliseconds until it answers. */
  async start(): Promise<number> {
    const db = this.#database.kind === "postgres" ? ["--db", this.#database.url] : []
    const args = ["serve", "--dir", this.dir, "--port", String(this.#port), ...db]
    this.#child = spawn("bin/immunity", args, { stdio: ["ignore", "ignore", "inherit"] })
    return until("the control plane answers", () => this.#answers(), 300_000)
  }

  kill(): Promise<void> {
    return this.#child ? gone(this.#child, "SIGKILL") : Promise.resolve()
  }

  async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const token = readFileSync(join(this.dir, "token"), "utf8").trim()
    const answer = await fetch(`http://127.0.0.1:${this.#port}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return (answer.headers.get("content-type")?.includes("json") ? JSON.parse(text) : text) as T
  }

  async #answers(): Promise<boolean> {
    if (this.#child?.exitCode !== null) throw new Error("the control plane ended as it started")
    return fetch(`http://127.0.0.1:${this.#port}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    )
  }
}
