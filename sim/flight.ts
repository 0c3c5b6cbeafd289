import type { Call, Cluster } from "./cluster.ts"
import type { Fired } from "./faults.ts"
import type { Place } from "./random.ts"
import type { Target } from "./scenario.ts"
import type { Came, Limit } from "./timeline.ts"

/** From whom to whom for what, and the names that follow from it. */
export type Way = {
  readonly site: string
  /** What a partition calls it. */
  readonly cut: string
  readonly from: string
  readonly to: Target
  readonly verb: string
  readonly told: string
  /** How long it takes to get there, and back. */
  readonly there: Place
  readonly back: Place
  /** Calls that went it. */
  calls: number
}

/** How long a caller waits for a store or a repository that does not answer: their adapters have limits of their own. */
const patience = 6_000

/** A call on its way: there, perhaps twice, and back, unless something befalls it. */
export class Flight<T> {
  readonly #cluster: Cluster
  readonly #call: Call<T>
  readonly #way: Way
  readonly #fault: Fired | undefined
  readonly #resolve: (value: T) => void
  readonly #reject: (reason: unknown) => void
  readonly #aborted = (): void => void this.#close(() => this.#reject(this.#call.signal?.reason))
  #isOpen = true
  #limit: Limit | undefined

  constructor(
    cluster: Cluster,
    call: Call<T>,
    way: Way,
    fault: Fired | undefined,
    resolve: (value: T) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#cluster = cluster
    this.#call = call
    this.#way = way
    this.#fault = fault
    this.#resolve = resolve
    this.#reject = reject
  }

  start(): void {
    const { timeline, cut } = this.#cluster
    const { signal, target } = this.#call
    const fault = this.#fault
    if (signal?.aborted) return this.#aborted()
    signal?.addEventListener("abort", this.#aborted)
    if (!signal || target === "source")
      this.#limit = timeline.limit(patience, () => this.#fail(`${target}: no answer`))
    const takes = this.#way.there.between(1, 15)
    if (cut.has(this.#way.cut) || fault?.kind === "drop") return
    if (fault?.kind === "refuse") return timeline.in(takes, () => this.#fail(`${target}: connection refused`))
    timeline.in(takes + (fault?.kind === "delay" ? fault.forMs : 0), () => this.#arrive(true))
    if (fault?.kind === "duplicate") timeline.in(takes + fault.forMs, () => this.#arrive(false))
  }

  #arrive(answers: boolean): Came {
    const { cut, timeline } = this.#cluster
    const way = this.#way
    const fault = this.#fault
    if (cut.has(way.cut)) return false
    this.#cluster.reached(way)
    let settle: () => void
    try {
      const value = this.#call.act()
      settle = () => this.#resolve(value)
    } catch (error) {
      settle = () => this.#reject(error)
    }
    if (fault?.kind === "crash-after") return this.#cluster.diesOf(fault, this.#call)
    if (!answers || fault?.kind === "lost-ack") return "unheard"
    const back = way.back.between(1, 15) + (fault?.kind === "slow-ack" ? fault.forMs : 0)
    timeline.in(back, () => !cut.has(way.cut) && this.#close(settle))
    return "unheard"
  }

  #fail(because: string): boolean {
    return this.#close(() => this.#reject(new Error(because)))
  }

  /** The caller goes on, once, when it can. */
  #close(settle: () => void): boolean {
    const { plane, life, signal } = this.#call
    return plane.deliver(life, () => {
      if (!this.#isOpen) return false
      this.#isOpen = false
      if (this.#limit) this.#limit.isLifted = true
      signal?.removeEventListener("abort", this.#aborted)
      settle()
      return true
    })
  }
}
