import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Observation } from "../../core/model/measurement.ts"
import type { MetricsSource } from "../../ports/metrics.ts"
import { mostRequests } from "./answers-compare.ts"
import type { ToAnswers, ToAsk, ToCompare } from "./answers-wire.ts"

const program = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "./answers-process.ts" : "./answers-process.js", import.meta.url),
)

/** Megabytes of its own memory, without buffers. */
const mostMemory = 96

/**
 * Compares the answers of stable instances and the candidate to the requests that the router copied, and to
 * those that the metric lists. A process of its own asks: whatever answers do to it, the control plane goes
 * on, and the next question starts it again.
 */
export function answersMetrics(): MetricsSource & { readonly pid: () => number | undefined } {
  const asker = new Asker()
  let turn = 0
  return {
    pid: () => asker.pid,
    async observe({ app, metric, addresses, against = {}, copied = [] }, signal) {
      const { source } = metric
      if (source.type !== "answers")
        throw new Error(`metric ${metric.name} comes from ${source.type}, not from answers`)
      if (Object.keys(addresses).length === 0 || Object.keys(against).length === 0) return undefined
      const real = copied
        .slice(-mostRequests)
        .map(({ method, target, headers }): ToAsk => ({ method, target, headers }))
      const listed: ToAsk[] = []
      for (let i = real.length; i < mostRequests && source.ask.length > 0; i++)
        listed.push({ method: "GET", target: source.ask[turn++ % source.ask.length] ?? "/", headers: {} })
      const requests = [...real, ...listed]
      if (requests.length === 0) return { kind: "answers", compared: 0, paths: [] }
      return asker.compare({ app, candidates: addresses, stable: against, requests }, signal)
    },
  }
}

type Waiting = { readonly resolve: (seen: Observation) => void; readonly reject: (error: Error) => void }

/** The process that asks, as the control plane sees it: started when there is something to ask. */
class Asker {
  #child: ChildProcess | undefined
  readonly #waiting = new Map<number, Waiting>()
  #last = 0
  /** Questions in a row that nobody answered in time. */
  #unanswered = 0

  get pid(): number | undefined {
    return this.#child?.pid
  }

  compare(what: ToCompare, signal: AbortSignal): Promise<Observation> {
    const child = this.#running()
    this.#last += 1
    const id = this.#last
    return new Promise<Observation>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      const giveUp = () => {
        reject(new Error("it took too long to compare answers"))
        this.#unanswered += 1
        // Every round has an end of its own: who does not answer twice in a row hangs.
        if (this.#unanswered >= 2) child.kill("SIGKILL")
      }
      signal.addEventListener("abort", giveUp, { once: true })
      child.send({ id, compare: what } satisfies ToAnswers, (error) => {
        if (error) reject(new Error(`the process that compares answers cannot be asked: ${error.message}`))
      })
    }).finally(() => {
      this.#waiting.delete(id)
      if (this.#waiting.size === 0) child.channel?.unref()
    })
  }

  #running(): ChildProcess {
    const child = this.#child ?? this.#start()
    child.channel?.ref()
    return child
  }

  #start(): ChildProcess {
    // It reads what hostile instances say: nothing of our environment is of use to it.
    const child = fork(program, [], {
      env: {},
      execArgv: [`--max-old-space-size=${mostMemory}`, "--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    })
    this.#child = child
    child.unref()
    child.on("message", (said) => this.#heard(said))
    child.on("error", (error) => this.#ended(child, error.message))
    child.on("exit", (code, by) => this.#ended(child, by ?? `exit code ${code}`))
    return child
  }

  #heard(said: unknown): void {
    this.#unanswered = 0
    const { id, seen, because } = said as { id: number; seen?: Observation; because?: string }
    const waiting = this.#waiting.get(id)
    if (seen) waiting?.resolve(seen)
    else waiting?.reject(new Error(because ?? "the answers could not be compared"))
  }

  #ended(child: ChildProcess, how: string): void {
    if (this.#child !== child) return
    this.#child = undefined
    this.#unanswered = 0
    const error = new Error(
      `the process that compares answers ended (${how}); the next question starts it again`,
    )
    for (const { reject } of [...this.#waiting.values()]) reject(error)
  }
}
