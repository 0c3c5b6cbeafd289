import type { Duration } from "../core/model/time.ts"
import type { Clock } from "../ports/clock.ts"

/**
 * Wakes those together whose time is up in the same round. What they then ask of a server is asked once for all of them,
 * and a process that works once a second instead of at ten different moments finds its caches warm nine times.
 */
export class Rounds {
  readonly #clock: Pick<Clock, "mono" | "sleep">
  readonly #every: Duration
  readonly #until: AbortSignal
  /** By the moment at which a round ends. */
  readonly #sleepers = new Map<Duration, Set<() => void>>()

  constructor(clock: Pick<Clock, "mono" | "sleep">, every: Duration, until: AbortSignal) {
    this.#clock = clock
    this.#every = every
    this.#until = until
  }

  /** At least so long, and at most a round longer; not at all past the signal, or the end of everything. */
  sleep(forMs: Duration, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#until.aborted) return Promise.resolve()
    const sleepers = this.#roundOf(this.#clock.mono() + forMs)
    return new Promise((resolve) => {
      const wake = (): void => {
        sleepers.delete(wake)
        signal.removeEventListener("abort", wake)
        resolve()
      }
      sleepers.add(wake)
      signal.addEventListener("abort", wake)
    })
  }

  #roundOf(moment: Duration): Set<() => void> {
    const end = Math.ceil(moment / this.#every) * this.#every
    const known = this.#sleepers.get(end)
    if (known) return known
    const sleepers = new Set<() => void>()
    this.#sleepers.set(end, sleepers)
    void this.#clock.sleep(end - this.#clock.mono(), this.#until).then(() => {
      this.#sleepers.delete(end)
      for (const wake of sleepers) wake()
    })
    return sleepers
  }
}
