import cluster, { type Worker } from "node:cluster"
import { fileURLToPath } from "node:url"
import { Refusal } from "./refusal.ts"
import type { RouteStats, Stats } from "./stats.ts"
import type { Replied, WorkerOrder } from "./worker-wire.ts"

const program = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url),
)

type Waiting = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }

/** A worker as the first process sees it. */
export class WorkerProcess {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #last = 0
  /** As last told. */
  counted: Readonly<Record<string, RouteStats>> = {}
  isOver = false
  retiring = false
  /** Resolves when it has ended. */
  readonly over: Promise<void>

  constructor(onEnd: (worker: WorkerProcess) => void) {
    cluster.setupPrimary({ exec: program, args: [] })
    this.#worker = cluster.fork()
    this.#worker.on("message", (replied: Replied) => this.#replied(replied))
    this.#worker.on("error", () => undefined)
    this.over = new Promise((resolve) => {
      this.#worker.once("exit", () => {
        this.isOver = true
        // Who is gone routes nothing any more: it stands in the way of no order.
        for (const { resolve: answer } of this.#waiting.values()) answer(undefined)
        this.#waiting.clear()
        onEnd(this)
        resolve()
      })
    })
  }

  get pid(): number | undefined {
    return this.#worker.process.pid
  }

  /** Resolves with its answer, or with undefined when it ended meanwhile. Throws its Refusal. */
  ask(order: WorkerOrder): Promise<unknown> {
    if (this.isOver || !this.#worker.isConnected()) return Promise.resolve(undefined)
    this.#last += 1
    const id = this.#last
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#worker.send({ id, order }, undefined, (error: Error | null) => {
        if (error && this.#waiting.delete(id)) resolve(undefined)
      })
    })
  }

  /** Has its counts told anew. */
  async count(): Promise<void> {
    this.take((await this.ask({ verb: "stats" })) as Stats | undefined)
  }

  take(stats: Stats | undefined): void {
    if (stats) this.counted = stats.routes
  }

  kill(): void {
    this.#worker.process.kill("SIGKILL")
  }

  #replied(replied: Replied): void {
    const waiting = this.#waiting.get(replied.id)
    if (!waiting) return
    this.#waiting.delete(replied.id)
    if ("refused" in replied) {
      const { status, code, message } = replied.refused
      waiting.reject(new Refusal(status, code, message))
    } else waiting.resolve(replied.value)
  }
}
