/**
 * What came of an event: nothing; something that goes on in somebody's code; or something that no code has heard of
 * yet, so that nobody has to be waited for.
 */
export type Came = boolean | "unheard"

type Entry = { readonly at: number; readonly order: number; readonly run: () => Came }

/** One heap of events; virtual time jumps from one to the next. */
export class Timeline {
  now = 0
  /** Events that had an effect. */
  events = 0
  readonly #heap: Entry[] = []
  #order = 0

  at(at: number, run: () => Came): void {
    this.#push({ at: Math.max(at, this.now), order: this.#order++, run })
  }

  in(forMs: number, run: () => Came): void {
    this.at(this.now + forMs, run)
  }

  /**
   * Runs until `until`, or until `stop` says so. After each event the microtask queue is drained exactly:
   * process.nextTick runs only when it is empty, without a turn of the event loop.
   */
  async run(until: number, after: () => void, stop: () => boolean): Promise<void> {
    for (;;) {
      const next = this.#heap[0]
      if (!next || next.at > until) break
      this.#pop()
      this.now = next.at
      const came = next.run()
      if (came === false) continue
      this.events++
      if (came !== "unheard") await new Promise<void>((resolve) => process.nextTick(resolve))
      after()
      if (stop()) return
    }
    this.now = Math.max(this.now, until)
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]
      if (!above || !before(entry, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (!last || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      const left = heap[child]
      if (!left) break
      const right = heap[child + 1]
      const smaller = right && before(right, left) ? right : left
      if (smaller === right) child++
      if (!before(smaller, last)) break
      heap[at] = smaller
      at = child
    }
    heap[at] = last
  }
}

const before = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
