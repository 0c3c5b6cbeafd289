import type { StoredEvent } from "../ports/journal.ts"
import { type Parts, sentence } from "./parts.ts"
import { type Heard, wentBack } from "./went-back.ts"

const page = 500

type Following = Pick<Parts, "journal" | "clock" | "pace" | "log" | "wentBack">

/**
 * Reads what is stored, by whomever, in order. A database that went back in time gives sequences out anew, below what
 * was heard: so it always begins with the last event that was heard, which must still be the same.
 */
export class Follower {
  readonly #parts: Following
  readonly #take: (event: StoredEvent) => void
  #heard: Heard = { sequence: 0, event: undefined }
  #reading: Promise<void> | undefined

  constructor(parts: Following, take: (event: StoredEvent) => void) {
    this.#parts = parts
    this.#take = take
  }

  /** Everything up to this sequence is known. */
  startAfter(sequence: number): void {
    this.#heard = { sequence, event: undefined }
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
      const heard = this.#heard
      const known = heard.sequence > 0 ? 1 : 0
      const events = await this.#parts.journal.feed(heard.sequence - known, page + known)
      const lost = known > 0 ? wentBack(heard, events[0]) : undefined
      if (lost) {
        this.#parts.wentBack?.(lost)
        throw lost
      }
      for (const event of events.slice(known)) this.#take(event)
      const last = events.at(-1)
      if (last) this.#heard = { sequence: last.sequence, event: last }
      if (events.length < page + known) return
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
