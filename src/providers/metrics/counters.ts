import type { Instant } from "../../core/model/time.ts"

/** Counters of one instance as they stood at one moment, by series. */
export type Reading = { readonly at: Instant; readonly series: ReadonlyMap<string, number> }

/**
 * What each series grew by between two readings. A counter that fell began anew, with its process: then all of
 * them did, and what they show now happened since. A series that was not there before began at zero.
 */
export function grownBy(before: Reading, after: Reading): ReadonlyMap<string, number> {
  const restarted = [...after.series].some(([key, value]) => value < (before.series.get(key) ?? 0))
  return new Map(
    [...after.series].map(([key, value]) => [key, restarted ? value : value - (before.series.get(key) ?? 0)]),
  )
}

/** The last reading of every instance and metric. What nobody asked for in a while is forgotten. */
export class Readings {
  readonly #last = new Map<string, Reading>()
  readonly #keepMs = 10 * 60_000

  /** Puts a reading in the place of the last one, and returns that one if it is not older than `oldest`. */
  exchange(key: string, reading: Reading, oldest: Instant): Reading | undefined {
    const last = this.#last.get(key)
    if (last && last.at >= reading.at) return undefined
    // Deleted first, so that the map stays in the order of its readings.
    this.#last.delete(key)
    this.#last.set(key, reading)
    for (const [other, { at }] of this.#last) {
      if (at >= reading.at - this.#keepMs) break
      this.#last.delete(other)
    }
    return last && last.at >= oldest ? last : undefined
  }
}
