import type { Duration } from "../core/model/time.ts"
import type { Clock } from "../ports/clock.ts"

/** Tells whoever waits that something has changed, also who begins to wait only afterwards. */
export class Stir {
  readonly #clock: Clock
  #waiting = new AbortController()
  /** How often something has changed. */
  count = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): void {
    this.count++
    this.#waiting.abort()
    this.#waiting = new AbortController()
  }

  /** Until something changes that was not counted, for so long at the most. */
  async since(count: number, longest: Duration, signal: AbortSignal): Promise<void> {
    if (this.count !== count) return
    await this.#clock.sleep(longest, AbortSignal.any([signal, this.#waiting.signal]))
  }
}
