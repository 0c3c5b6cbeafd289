import type { AppName } from "../core/model/ids.ts"
import type { StoredEvent } from "../ports/journal.ts"
import type { Snapshot } from "../ports/snapshots.ts"
import type { Parts } from "./parts.ts"

/** Streams that one question is about. */
const together = 100

/** What a stream is folded into. */
export type Folding = {
  restore(snapshot: Snapshot): void
  take(event: StoredEvent): void
}

/**
 * Brings every stream of the journal to its end: from its snapshot on, where it has one, otherwise from its first event.
 * The sequence after which the feed goes on; what is handed over twice adds nothing.
 */
export async function unfold(
  { journal, snapshots }: Pick<Parts, "journal" | "snapshots">,
  open: (app: AppName) => Folding,
): Promise<number> {
  const end = await journal.end()
  const streams = await journal.streams()
  for (let from = 0; from < streams.length; from += together) {
    const some = streams.slice(from, from + together)
    const known = await snapshots.read(some)
    for (const snapshot of known) open(snapshot.stream).restore(snapshot)
    for (const event of await journal.tails(known)) open(event.stream).take(event)
    const short = new Set(known.map(({ stream }) => stream))
    for (const stream of some.filter((name) => !short.has(name)))
      for (const event of await journal.read(stream, 0)) open(stream).take(event)
  }
  return end
}
