import type { StoredEvent } from "../ports/journal.ts"
import { type Parts, sentence } from "./parts.ts"

const page = 500

/** Reads on after a sequence and hands over every event in order; the sequence it has come to. */
export async function readOn(
  { journal }: Pick<Parts, "journal">,
  after: number,
  take: (event: StoredEvent) => void,
): Promise<number> {
  let at = after
  for (;;) {
    const events = await journal.feed(at, page)
    for (const event of events) take(event)
    at = events.at(-1)?.sequence ?? at
    if (events.length < page) return at
  }
}

/** Hears what other control planes store, until the signal. */
export async function follow(
  parts: Pick<Parts, "journal" | "clock" | "pace" | "log">,
  from: number,
  take: (event: StoredEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  let at = from
  while (!signal.aborted) {
    await parts.clock.sleep(parts.pace.idle, signal)
    try {
      if (!signal.aborted) at = await readOn(parts, at, take)
    } catch (error) {
      parts.log.warn({ part: "journal" }, sentence(error))
    }
  }
}
