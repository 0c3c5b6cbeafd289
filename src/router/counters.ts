import { Histogram, type SparseHistogram } from "./histogram.ts"

/** Why an instance gave no whole answer. */
export type Failure = "connect" | "timeout" | "reset"

export type CountersJson = {
  /** Answered or failed. */
  readonly requests: number
  /** Each request at most once: refused connections, timeouts, broken connections, answers 5xx. */
  readonly errors: Readonly<Record<Failure | "5xx", number>>
  /** Answers by class. */
  readonly status: Readonly<Record<"1xx" | "2xx" | "3xx" | "4xx" | "5xx", number>>
  /** The client soon went away without its answer; no fault of the instance, not in `requests`. */
  readonly aborted: number
  /** A reused connection died under a request that was then made elsewhere; not in `requests`. */
  readonly replayed: number
  readonly inFlight: number
  /** From the whole request head to the head of the answer. */
  readonly histogram: SparseHistogram
}

/** What happened on one instance in one pool of one route since the router started. */
export class Counters {
  requests = 0
  inFlight = 0
  aborted = 0
  replayed = 0
  readonly errors = { connect: 0, timeout: 0, reset: 0, "5xx": 0 }
  readonly status = { "1xx": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0 }
  readonly latency = new Histogram()

  answered(status: number, ms: number): void {
    this.requests += 1
    this.latency.add(ms)
    if (status >= 500) {
      this.status["5xx"] += 1
      this.errors["5xx"] += 1
    } else if (status >= 400) this.status["4xx"] += 1
    else if (status >= 300) this.status["3xx"] += 1
    else if (status >= 200) this.status["2xx"] += 1
    else this.status["1xx"] += 1
  }

  /** No head of an answer ever came. */
  failed(failure: Failure): void {
    this.requests += 1
    this.errors[failure] += 1
  }

  /** An answer that had begun well broke off. */
  broke(failure: Failure): void {
    this.errors[failure] += 1
  }

  toJSON(): CountersJson {
    const { requests, errors, status, aborted, replayed, inFlight } = this
    return { requests, errors, status, aborted, replayed, inFlight, histogram: this.latency.toJSON() }
  }
}

type Entry = { readonly counters: Counters; goneSince: number | undefined }

/** Counters by pool and instance of one route; they outlive a change of the table by a minute. */
export class RouteCounters {
  readonly #pools = new Map<string, Map<string, Entry>>()
  /** What the router answered itself, by reason. */
  readonly own = new Map<string, number>()
  readonly #fellBack = new Map<string, number>()

  of(pool: string, instance: string): Counters {
    let instances = this.#pools.get(pool)
    if (!instances) {
      instances = new Map()
      this.#pools.set(pool, instances)
    }
    let entry = instances.get(instance)
    if (!entry) {
      entry = { counters: new Counters(), goneSince: undefined }
      instances.set(instance, entry)
    }
    entry.goneSince = undefined
    return entry.counters
  }

  /** Users of this pool, of which nobody could be asked, went to the stable one. */
  fellBack(pool: string): void {
    this.#fellBack.set(pool, (this.#fellBack.get(pool) ?? 0) + 1)
  }

  answeredItself(reason: string): void {
    this.own.set(reason, (this.own.get(reason) ?? 0) + 1)
  }

  /** Forgets what is kept no more and left longer than `after` ago. Returns whether nothing remains. */
  prune(isKept: (pool: string, instance: string) => boolean, now: number, after: number): boolean {
    for (const [pool, instances] of this.#pools) {
      for (const [instance, entry] of instances) {
        if (isKept(pool, instance) || entry.counters.inFlight > 0) entry.goneSince = undefined
        else if (entry.goneSince === undefined) entry.goneSince = now
        else if (now - entry.goneSince > after) instances.delete(instance)
      }
      if (instances.size === 0) this.#pools.delete(pool)
    }
    return this.#pools.size === 0
  }

  toJSON(): {
    pools: Readonly<Record<string, Readonly<Record<string, CountersJson>>>>
    own: Readonly<Record<string, number>>
    fellBack: Readonly<Record<string, number>>
  } {
    const pools = [...this.#pools].map(
      ([pool, instances]) =>
        [
          pool,
          Object.fromEntries([...instances].map(([id, entry]) => [id, entry.counters.toJSON()])),
        ] as const,
    )
    return {
      pools: Object.fromEntries(pools),
      own: Object.fromEntries(this.own),
      fellBack: Object.fromEntries(this.#fellBack),
    }
  }
}
