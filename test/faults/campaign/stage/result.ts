import { loadavg } from "node:os"

/** What one fault showed. Times in milliseconds. */
export type Result = {
  readonly runs: number
  /** Requests that failed by anything but the application's own answer, outside what the fault itself must cost. */
  readonly failedRequests: number
  /** Acknowledged orders that are not in the journal exactly once, and events that are no longer what they were. */
  readonly lostEvents: number
  /** Processes, ports and instances that should be gone, or are missing. */
  readonly leaks: number
  readonly recoveryMs: {
    readonly p50: number | null
    readonly p99: number | null
    readonly max: number | null
  }
  readonly passed: boolean
  /** What did not hold, in sentences. */
  readonly broken: readonly string[]
  readonly seconds: number
  /** Figures of this fault alone. */
  readonly [figure: string]: unknown
}

export type Skipped = { readonly skipped: string }

/** How much of everything. */
export type Scale = {
  /** Of the fault, when it was asked for; otherwise each fault has its own number. */
  readonly runs: number | undefined
  /** A short run, for whoever works on it. */
  readonly quick: boolean
  /** Requests a second. */
  readonly rate: number
  /** Of the soak. */
  readonly soakMinutes: number
  /** Says what is going on, for people. */
  readonly say: (line: string) => void
}

export type Fault = {
  readonly id: string
  readonly title: string
  /** Why it cannot run on this machine; undefined when it can. */
  readonly missing?: (() => string | undefined) | undefined
  readonly run: (scale: Scale) => Promise<Result | Skipped>
}

/** The selection of the tests: gentle, and silent. */
export const forTests: Scale = { runs: 1, quick: true, rate: 100, soakMinutes: 1, say: () => undefined }

/** Collects what a fault shows. */
export class Findings {
  runs = 0
  failedRequests = 0
  lostEvents = 0
  leaks = 0
  requests = 0
  acknowledged = 0
  readonly recoveries: number[] = []
  readonly broken: string[] = []
  readonly figures: Record<string, unknown> = {}
  readonly #began = performance.now()

  /** Notes what should be true and is not. */
  expect(holds: boolean, sentence: string): void {
    if (!holds && this.broken.length < 50) this.broken.push(sentence)
  }

  result(): Result {
    const { runs, failedRequests, lostEvents, leaks, broken, recoveries, requests, acknowledged } = this
    return {
      runs,
      failedRequests,
      lostEvents,
      leaks,
      recoveryMs: quantiles(recoveries),
      passed: broken.length === 0 && failedRequests === 0 && lostEvents === 0 && leaks === 0 && runs > 0,
      requests,
      acknowledged,
      ...this.figures,
      // Times mean something only beside what else the machine had to do.
      loadAverage: Math.round((loadavg()[0] ?? 0) * 10) / 10,
      broken,
      seconds: Math.round((performance.now() - this.#began) / 1_000),
    }
  }
}

function quantiles(times: readonly number[]): Result["recoveryMs"] {
  const order = [...times].sort((a, b) => a - b)
  const at = (share: number): number | null => {
    const found = order[Math.min(order.length - 1, Math.ceil(share * order.length) - 1)]
    return found === undefined ? null : Math.round(found)
  }
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}
