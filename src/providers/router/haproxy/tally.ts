import { bucketAtOrAbove } from "../../../core/judge/histogram.ts"
import { bucketsPerOctave } from "../../../core/model/measurement.ts"
import type { Counters } from "../../../ports/counters.ts"
import type { Placement } from "./book.ts"
import type { Outcome } from "./line.ts"

/** How long counters are kept of an instance that is gone, in ms: whoever compares two readings sees both. */
const keptFor = 60_000
/** From 2^-7 ms (8 µs) to 2^21 ms (35 min): what is outside counts at the edge. */
const lowest = -7 * bucketsPerOctave
const highest = 21 * bucketsPerOctave - 1

/** Requests and their latencies. */
export class Tally {
  #requests = 0
  #bad = 0
  readonly #latency = new Map<number, number>()

  add({ bad, ms }: Outcome): void {
    this.#requests += 1
    if (bad) this.#bad += 1
    if (ms === undefined) return
    const bucket = Math.min(Math.max(bucketAtOrAbove(ms), lowest), highest)
    this.#latency.set(bucket, (this.#latency.get(bucket) ?? 0) + 1)
  }

  read(): Counters {
    return {
      requests: this.#requests,
      bad: this.#bad,
      latency: [...this.#latency].sort(([a], [b]) => a - b),
    }
  }
}

type Entry = { readonly placement: Placement; readonly tally: Tally; goneSince: number | undefined }

/** What every instance in its pool has answered since this process began to read the log. */
export class Tallies {
  readonly #entries = new Map<number, Entry>()

  /** From now on these are there. */
  keep(placements: readonly Placement[], now: number): void {
    const there = new Map(placements.map((one) => [one.number, one]))
    for (const [number, entry] of this.#entries) {
      if (there.has(number)) entry.goneSince = undefined
      else if (entry.goneSince === undefined) entry.goneSince = now
      else if (now - entry.goneSince > keptFor) this.#entries.delete(number)
    }
    for (const [number, placement] of there)
      if (!this.#entries.has(number))
        this.#entries.set(number, { placement, tally: new Tally(), goneSince: undefined })
  }

  add(placement: number, outcome: Outcome): void {
    this.#entries.get(placement)?.tally.add(outcome)
  }

  /** By route, pool and instance. */
  read(): Record<string, Record<string, Record<string, Counters>>> {
    const routes: Record<string, Record<string, Record<string, Counters>>> = {}
    for (const { placement, tally } of this.#entries.values()) {
      const { route, pool, id } = placement
      const pools = routes[route] ?? {}
      routes[route] = { ...pools, [pool]: { ...pools[pool], [id]: tally.read() } }
    }
    return routes
  }
}
