import { fractionOf } from "../core/model/chance.ts"
import type { ServerName } from "../core/model/ids.ts"
import type { Duration, Instant } from "../core/model/time.ts"
import type { Gate } from "./gate.ts"
import type { Ledger } from "./ledger.ts"
import { news, type Parts, sentence } from "./parts.ts"
import { newCommits, pollPause } from "./poll.ts"

/** For servers that do not answer a term waits this long before it looks for commits, in milliseconds. */
const unheardFor = 30_000

/** What one application's reader shares with the rest of it. */
export type ReaderParts = {
  readonly parts: Parts
  readonly ledger: Pick<Ledger, "app" | "peek" | "apply">
  /** Repositories that are asked at once. */
  readonly asking: Gate
  /** When the newest commit was found; undefined: none was. */
  readonly foundAt: () => Instant | undefined
  /** How many applications are held here. */
  readonly held: () => number
  readonly problem: (part: "source" | "commits", problem: string | undefined) => void
}

/** Looks at one application's repository for new commits, as long as the application is held. */
export class CommitReader {
  readonly #of: ReaderParts
  #hinted = new AbortController()
  /** Ends the look that is under way. */
  #reading = new AbortController()
  /** Until all servers were heard in this term. */
  #unheard: AbortController | undefined

  constructor(of: ReaderParts) {
    this.#of = of
  }

  /** A new term. */
  begin(): void {
    this.#unheard = new AbortController()
    this.#hinted = new AbortController()
  }

  end(): void {
    this.#hinted.abort(news)
    this.#reading.abort(news)
    this.#unheard?.abort(news)
  }

  /** The repository may have something new: a hint, nothing more. */
  hint(): void {
    this.#hinted.abort(news)
  }

  /** It is another repository now. */
  startOver(): void {
    this.#reading.abort(news)
    this.hint()
  }

  /** These servers did not answer the last look; once all did there is nothing to wait for before the repository is asked. */
  looked(silent: readonly ServerName[]): void {
    if (!this.#unheard) return
    if (silent.length === 0) {
      this.#unheard.abort(news)
      this.#unheard = undefined
    } else
      this.#of.problem(
        "commits",
        `they are asked for in at most ${unheardFor / 1_000} s: ${silent.join(", ")} may know of releases that are not in the journal`,
      )
  }

  /** Reads until the term ends. */
  async read(until: AbortSignal): Promise<void> {
    const { parts, ledger, foundAt, held, problem } = this.#of
    const pause = () => pollPause(foundAt(), parts, held())
    // That a journal is of an earlier time shows by the numbers that servers know and it does not: none is given out before.
    if (this.#unheard) await parts.clock.sleep(unheardFor, this.#unheard.signal)
    this.#unheard = undefined
    problem("commits", undefined)
    // After a start not all repositories are asked at once; one that was never looked at does not wait.
    if (foundAt() !== undefined)
      await this.#sleep(Math.max(0, pause() - parts.pace.poll) * fractionOf(ledger.app), until)
    while (!until.aborted) {
      const reading = new AbortController()
      try {
        await this.#of.asking.through(async () => {
          if (until.aborted) return
          this.#reading = reading
          for (const input of await newCommits(parts, ledger.peek(), reading.signal))
            await ledger.apply(input)
        })
        problem("source", undefined)
      } catch (error) {
        if (until.aborted) return
        if (!reading.signal.aborted) problem("source", sentence(error))
      }
      if (reading.signal.aborted) continue
      await this.#sleep(pause(), until)
    }
  }

  async #sleep(forMs: Duration, until: AbortSignal): Promise<void> {
    if (until.aborted) return
    await this.#of.parts.clock.sleep(forMs, this.#hinted.signal)
    // One that came while the repository was being read counts as well: what it tells of may be newer.
    if (this.#hinted.signal.aborted) this.#hinted = new AbortController()
  }
}
