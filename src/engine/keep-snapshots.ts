import type { AppName } from "../core/model/ids.ts"
import type { Event } from "../core/pipeline/events.ts"
import type { StoredEvent } from "../ports/journal.ts"
import type { Ledger } from "./ledger.ts"
import { type Parts, sentence } from "./parts.ts"

/** Events since the last snapshot that make the next one worth its write, also in the middle of a rollout. */
const every = 250
/** Snapshots of one write. */
const together = 100

/** Whatever ended will not move for long. */
const ends: ReadonlySet<Event["type"]> = new Set([
  "rollout-succeeded",
  "rolled-back",
  "rollout-failed",
  "rollout-cancelled",
  "rollback-failed",
])

type Kept = Pick<Ledger, "app" | "version" | "hash" | "state">

/** Writes snapshots, seldom and many at once: losing one costs a little folding at the next start, nothing else. */
export class SnapshotKeeper {
  readonly #parts: Pick<Parts, "snapshots" | "clock" | "pace" | "log">
  /** Where the newest snapshot of each stream stands. */
  readonly #keptAt = new Map<AppName, number>()
  readonly #due = new Map<AppName, Kept>()

  constructor(parts: Pick<Parts, "snapshots" | "clock" | "pace" | "log">) {
    this.#parts = parts
  }

  /** There is one of it that stands here. */
  restored({ app, version }: Kept): void {
    this.#keptAt.set(app, version)
  }

  /** These events were folded. */
  heard(ledger: Kept, events: readonly StoredEvent[]): void {
    const since = ledger.version - (this.#keptAt.get(ledger.app) ?? 0)
    if (since >= every || events.some(({ event }) => ends.has(event.type))) this.#due.set(ledger.app, ledger)
  }

  /** Until the signal, and once more then. */
  async keep(signal: AbortSignal): Promise<void> {
    const { clock, pace, log } = this.#parts
    while (!signal.aborted) {
      await clock.sleep(this.#due.size > together ? pace.busy : pace.push, signal)
      try {
        await this.#keepSome()
      } catch (error) {
        log.warn({ part: "snapshots" }, sentence(error))
      }
    }
  }

  async #keepSome(): Promise<void> {
    const some = [...this.#due.values()].slice(0, together)
    const snapshots = some.map(({ app, version, hash, state }) => ({ stream: app, version, hash, state }))
    await this.#parts.snapshots.keep(snapshots)
    for (const { stream, version } of snapshots) {
      this.#keptAt.set(stream, version)
      if (this.#due.get(stream)?.version === version) this.#due.delete(stream)
    }
  }
}
