import { Histogram, type SparseHistogram } from "./histogram.ts"

export type SideJson = {
  readonly requests: number
  readonly bad: number
  readonly histogram: SparseHistogram
}

export type MirrorJson = {
  readonly to: string
  readonly sent: number
  /** Not copied, because too many copies were under way or nobody could take one. */
  readonly dropped: number
  /** Copies without an answer. */
  readonly failed: number
  /** Pairs that do not count, because the client went away. */
  readonly aborted: number
  readonly primary: SideJson
  readonly candidate: SideJson
}

/** How one side of a copied request ended. `ms` is there when it was answered. */
export type Outcome = { readonly bad: boolean; readonly ms: number | undefined }

class Side {
  requests = 0
  bad = 0
  readonly latency = new Histogram()

  add(outcome: Outcome): void {
    this.requests += 1
    if (outcome.bad) this.bad += 1
    if (outcome.ms !== undefined) this.latency.add(outcome.ms)
  }

  toJSON(): SideJson {
    return { requests: this.requests, bad: this.bad, histogram: this.latency.toJSON() }
  }
}

/** What came of the copies from one route to another: both cohorts hold exactly the same requests. */
export class MirrorCounters {
  readonly to: string
  sent = 0
  dropped = 0
  failed = 0
  aborted = 0
  underWay = 0
  readonly primary = new Side()
  readonly candidate = new Side()

  constructor(to: string) {
    this.to = to
  }

  toJSON(): MirrorJson {
    const { to, sent, dropped, failed, aborted, primary, candidate } = this
    return { to, sent, dropped, failed, aborted, primary: primary.toJSON(), candidate: candidate.toJSON() }
  }
}

/** One request and its copy: counted once both have ended, or not at all. */
export class MirrorPair {
  readonly #counters: MirrorCounters
  #primary: Outcome | "gone" | undefined
  #candidate: Outcome | undefined

  constructor(counters: MirrorCounters) {
    this.#counters = counters
  }

  /** `gone`: the client left, so what the user would have seen is not known. Later calls change nothing. */
  primary(outcome: Outcome | "gone"): void {
    if (this.#primary !== undefined) return
    this.#primary = outcome
    this.#settle()
  }

  candidate(outcome: Outcome): void {
    if (this.#candidate !== undefined) return
    this.#candidate = outcome
    this.#settle()
  }

  #settle(): void {
    if (this.#primary === undefined || this.#candidate === undefined) return
    if (this.#primary === "gone") {
      this.#counters.aborted += 1
      return
    }
    this.#counters.primary.add(this.#primary)
    this.#counters.candidate.add(this.#candidate)
  }
}
