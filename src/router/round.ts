/** Somebody whose socket brought something. */
export interface Arriving {
  /** In the order in which the socket brought it. */
  arrive(what: Arrival): void
}

export type Arrival = Buffer | "end" | "close" | Error

/**
 * What all sockets bring in one round of the event loop is handled together, after the last of them was read.
 * Reading and routing then each run many times in a row: that they do not push each other out of the
 * processor's cache saves a tenth of the CPU of a request.
 */
class Round {
  #targets: Arriving[] = []
  #arrivals: Arrival[] = []

  add(target: Arriving, what: Arrival): void {
    if (this.#targets.length === 0) setImmediate(this.#run)
    this.#targets.push(target)
    this.#arrivals.push(what)
  }

  readonly #run = (): void => {
    const targets = this.#targets
    const arrivals = this.#arrivals
    this.#targets = []
    this.#arrivals = []
    for (let at = 0; at < targets.length; at++) {
      const what = arrivals[at]
      if (what !== undefined) targets[at]?.arrive(what)
    }
  }
}

/** One for this process, as there is one event loop. */
export const round = new Round()
