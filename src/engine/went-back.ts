import type { StoredEvent } from "../ports/journal.ts"

/**
 * What was read of the journal is no longer in it: its database went back in time. Whoever remembers what was lost must
 * decide nothing more.
 */
export class JournalWentBack extends Error {
  override readonly name = "JournalWentBack"

  constructor(what: string) {
    super(
      `the journal went back: ${what}. Either a standby that had not received everything took over from the database, ` +
        "or an older state of it was put back; what was stored since then is lost. This control plane remembers it and " +
        "must not go on; what runs keeps running. Start it again (a supervisor does so by itself): it goes on from " +
        "what is stored now. Then look at each application, and give again the orders that are missing",
    )
  }
}

const named = ({ stream, version, sequence }: Pick<StoredEvent, "stream" | "version" | "sequence">): string =>
  `event ${version} of ${stream} (sequence ${sequence})`

/** The last event that was heard; `undefined`: it was not heard itself, only that it is the last one. */
export type Heard = { readonly sequence: number; readonly event: StoredEvent | undefined }

/** Why what is found where the last heard event was is not that event; undefined when it is. */
export function wentBack(
  { sequence, event }: Heard,
  found: StoredEvent | undefined,
): JournalWentBack | undefined {
  const known = event ? named(event) : `the event with sequence ${sequence}`
  if (found?.sequence !== sequence) return new JournalWentBack(`${known} was read, and is not there any more`)
  if (event && event.hash !== found.hash)
    return new JournalWentBack(`${known} was read, and ${named(found)} stands there now with another hash`)
  return undefined
}
