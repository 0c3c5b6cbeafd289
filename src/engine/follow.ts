import type { StoredEvent } from "../ports/journal.ts"
import { type Parts, sentence } from "./parts.ts"

const page = 500

/** Reads what is stored, by whomever, in order. */
export class Follower {
  readonly #parts: Pick<Parts, "journal" | "clock" | "pace" | "log">
  readonly #take: (event: StoredEvent) => void
  /** The sequence of the last event that was handed over. */
  at = 0
  #reading: Promise<void> | undefined

  constructor(parts: Pick<Parts, "journal" | "clock" | "pace" | "log">, take: (event: StoredEvent) => void) {
    this.#parts = parts
    this.#take = take
  }

  /** Hands over everything that is stored by now. Whoever asks while it reads waits, and it reads once more. */
  async readOn(): Promise<void> {
    await this.#reading?.catch(() => undefined)
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    await this.#reading
  }

  async #read(): Promise<void> {
    for (;;) {
      const events = await this.#parts.journal.feed(this.at, page)
      for (const event of events) this.#take(event)
      this.at = events.at(-1)?.sequence ?? this.at
      if (events.length < page) return
    }
  }

  /** Hears what other control planes store, until the signal. */
  async follow(signal: AbortSignal): Promise<void> {
    const { clock, pace, log } = this.#parts
    while (!signal.aborted) {
      await clock.sleep(pace.idle, signal)
      try {
        if (!signal.aborted) await this.readOn()
      } catch (error) {
        log.warn({ part: "journal" }, sentence(error))
      }
    }
  }
}
