import type { Clock } from "../../ports/clock.ts"
import type { Container, Containers } from "../../ports/containers.ts"

/** Milliseconds for which an engine's word on containers that live is good: asking costs it more than an answer. */
const goodFor = 1_000
/** An engine that starts something answers a list when it is done. */
const longest = 15_000

type Said = { readonly at: number; readonly changes: number; readonly containers: readonly Container[] }

/**
 * What an engine says of all containers, asked once for all who want to know at the same time. Our own orders make
 * its word old at once; what others do to a container is seen when its processes are gone, or when the word is old.
 */
export class EngineWord {
  readonly #containers: Containers
  readonly #clock: Clock
  #changes = 0
  #said: Said | undefined
  #asking: { readonly changes: number; readonly answer: Promise<readonly Container[]> } | undefined

  constructor(containers: Containers, clock: Clock) {
    this.#containers = containers
    this.#clock = clock
  }

  /** An order ends every look that began before it. */
  async change<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } finally {
      this.#changes++
    }
  }

  /** What it said a moment ago, as long as nothing was ordered since. */
  get recent(): readonly Container[] | undefined {
    const said = this.#said
    const isRecent =
      said !== undefined && said.changes === this.#changes && this.#clock.mono() - said.at < goodFor
    return isRecent ? said.containers : undefined
  }

  /** What it says now. Where it does not answer, what it said last holds; rejects while it has said nothing ever. */
  async now(signal: AbortSignal): Promise<readonly Container[]> {
    if (this.#asking?.changes !== this.#changes) this.#ask()
    try {
      return await unless(signal, this.#asking?.answer ?? [])
    } catch (error) {
      if (this.#said === undefined) throw error
      return this.#said.containers
    }
  }

  #ask(): void {
    const [at, changes] = [this.#clock.mono(), this.#changes]
    const answer = this.#containers.list(AbortSignal.timeout(longest)).then((containers) => {
      // One that was asked before an order, and answers after it, knows less.
      if (this.#said === undefined || this.#said.changes <= changes) this.#said = { at, changes, containers }
      return containers
    })
    const asking = { changes, answer }
    this.#asking = asking
    const over = () => {
      if (this.#asking === asking) this.#asking = undefined
    }
    answer.then(over, over)
  }
}

/** Others go on waiting for the same answer. */
async function unless<T>(signal: AbortSignal, answer: T | Promise<T>): Promise<T> {
  signal.throwIfAborted()
  let stop = () => {}
  const ended = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
  })
  signal.addEventListener("abort", stop, { once: true })
  try {
    return await Promise.race([answer, ended])
  } finally {
    signal.removeEventListener("abort", stop)
  }
}
