/**
 * What came of an event: nothing; something that goes on in somebody's code; or something that no code has heard of
 * yet, so that nobody has to be waited for.
 */
export type Came = boolean | "unheard"

type Entry = { readonly at: number; readonly order: number; readonly run: () => Came }

/** A limit that was set; hardly any is ever reached, and one that was is lifted. */
export type Limit = Entry & { isLifted: boolean }

/** Limits that are equally long: they end in the order in which they were set, so that nothing has to be sorted. */
type Lane = { readonly forMs: number; limits: Limit[]; next: number }

/** One heap of events, and lanes of limits beside it; virtual time jumps from one to the next. */
export class Timeline {
  now = 0
  /** Events that had an effect. */
  events = 0
  readonly #heap: Entry[] = []
  readonly #lanes: Lane[] = []
  #order = 0
  /** Of the limits that stand, the one that is reached first; it may have been lifted since it was found. */
  #soonest: Limit | undefined

  at(at: number, run: () => Came): void {
    this.#push({ at: Math.max(at, this.now), order: this.#order++, run })
  }

  in(forMs: number, run: () => Came): void {
    this.at(this.now + forMs, run)
  }

  /** Like `in`, for what mostly does not come to pass: lifted, it costs nothing more. */
  limit(forMs: number, run: () => Came): Limit {
    const limit: Limit = { at: this.now + forMs, order: this.#order++, run, isLifted: false }
    let lane = this.#lanes.find((known) => known.forMs === forMs)
    if (!lane) {
      lane = { forMs, limits: [], next: 0 }
      this.#lanes.push(lane)
    }
    lane.limits.push(limit)
    if (!this.#soonest || before(limit, this.#soonest)) this.#soonest = limit
    return limit
  }

  /**
   * Runs until `until`, or until `stop` says so. After each event the microtask queue is drained exactly:
   * process.nextTick runs only when it is empty, without a turn of the event loop.
   */
  async run(until: number, after: () => void, stop: () => boolean): Promise<void> {
    for (;;) {
      const next = this.#take(until)
      if (!next) break
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

  /** The next one, when it comes by then. */
  #take(until: number): Entry | undefined {
    if (this.#soonest?.isLifted) this.#soonest = this.#soonestOf()
    const limit = this.#soonest
    const entry = this.#heap[0]
    const isLimit = limit !== undefined && (!entry || before(limit, entry))
    const first = isLimit ? limit : entry
    if (!first || first.at > until) return undefined
    if (isLimit) {
      limit.isLifted = true
      this.#soonest = this.#soonestOf()
    } else this.#pop()
    return first
  }

  #soonestOf(): Limit | undefined {
    let soonest: Limit | undefined
    for (const lane of this.#lanes) {
      const limit = firstOf(lane)
      if (limit && (!soonest || before(limit, soonest))) soonest = limit
    }
    return soonest
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

/** The first that still stands. */
function firstOf(lane: Lane): Limit | undefined {
  const { limits } = lane
  while (limits[lane.next]?.isLifted) lane.next++
  if (lane.next > 200) {
    lane.limits = limits.slice(lane.next)
    lane.next = 0
  }
  return lane.limits[lane.next]
}

const before = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
