import type { Kysely, Selectable, Transaction } from "kysely"
import { canonicalJson } from "../core/model/canonical-json.ts"
import type { Clock } from "../ports/clock.ts"
import type { Append, AppendOutcome, StoredEvent } from "../ports/journal.ts"
import { chainHash, chainStart } from "./chain.ts"
import type { Dialect } from "./dialect.ts"
import { heldLeases } from "./held-lease.ts"
import type { Tables } from "./tables.ts"

/** Rows of one statement: a database binds some ten thousand values at once. */
const rowsTogether = 500

/** `version`: of the last event that was written, or that the decision was made on. */
export type Decided = { readonly outcome: AppendOutcome; readonly version: number }

type Row = Omit<Selectable<Tables["event"]>, "sequence">

/**
 * Appends of several streams inside one transaction. Each is decided by itself: one that is refused takes nothing from
 * the others. No stream and no command may be there twice.
 */
export async function appendTogether(
  trx: Transaction<Tables>,
  appends: readonly Append[],
  clock: Clock,
  { locksRows }: Pick<Dialect, "locksRows">,
): Promise<readonly Decided[]> {
  const commands = appends.flatMap(({ command }) => command?.id ?? [])
  const results = commands.length > 0 ? await resultsOf(trx, commands) : new Map<string, unknown>()
  const writers = appends.map(({ stream, epoch }) => ({ app: stream, epoch }))
  const held = await heldLeases(trx, writers, locksRows)
  const ends = await endsOf(trx, appends)
  const decided = appends.map((append): Decided | { readonly rows: readonly Row[] } => {
    const { stream, expected, command } = append
    const refused = (outcome: AppendOutcome): Decided => ({ outcome, version: expected })
    // First of all, because a repeated command has its answer whoever holds the lease by now.
    if (command && results.has(command.id))
      return refused({ kind: "duplicate", result: results.get(command.id) })
    if (!held.has(stream)) return refused({ kind: "fenced" })
    const previous = ends.get(stream)
    if (previous === undefined) return refused({ kind: "conflict" })
    return { rows: rowsOf(append, previous) }
  })
  const written = appends.filter((_, i) => "rows" in (decided[i] ?? {}))
  const sequences = await insertEvents(
    trx,
    decided.flatMap((one) => ("rows" in one ? one.rows : [])),
  )
  const notices = written.flatMap(({ outbox }) => outbox)
  for (let from = 0; from < notices.length; from += rowsTogether)
    await trx
      .insertInto("outbox")
      .values(
        notices
          .slice(from, from + rowsTogether)
          .map((notice) => ({ attempts: 0, due_at: 0, last_error: null, notice: canonicalJson(notice) })),
      )
      .execute()
  const done = written.flatMap(({ stream, command }) =>
    command
      ? [{ id: command.id, stream, at: clock.now(), result: canonicalJson(command.result ?? null) }]
      : [],
  )
  if (done.length > 0) await trx.insertInto("command").values(done).execute()
  return decided.map((one, i): Decided => {
    if ("outcome" in one) return one
    const stored = one.rows.map((row) =>
      toStored({ ...row, sequence: sequences.get(placeOf(row)) ?? Number.NaN }),
    )
    const version = (appends[i]?.expected ?? 0) + stored.length
    return { outcome: { kind: "appended", stored }, version }
  })
}

/** The hash before the next event of each stream that ends where it is expected to; of the others nothing. */
async function endsOf(
  trx: Transaction<Tables>,
  appends: readonly Append[],
): Promise<ReadonlyMap<string, string>> {
  // Streams have no gaps: one ends there if that event is there and the next one is not.
  const rows = await trx
    .selectFrom("event")
    .select(["stream", "version", "hash"])
    .where((eb) =>
      eb.or(
        appends.map(({ stream, expected }) =>
          eb.and([eb("stream", "=", stream), eb("version", "in", [expected, expected + 1])]),
        ),
      ),
    )
    .execute()
  const found = new Map(rows.map((row) => [placeOf(row), row.hash]))
  return new Map(
    appends.flatMap(({ stream, expected }) => {
      const last = expected === 0 ? chainStart : found.get(placeOf({ stream, version: expected }))
      const isLast = !found.has(placeOf({ stream, version: expected + 1 }))
      return last !== undefined && isLast ? [[stream, last] as const] : []
    }),
  )
}

function rowsOf({ stream, expected, epoch, events, command }: Append, end: string): readonly Row[] {
  let previous = end
  return events.map((recorded, i) => {
    const link = {
      stream,
      version: expected + i + 1,
      at: recorded.at,
      by: storable(recorded.by),
      because: storable(recorded.because),
      body: canonicalJson(recorded.event),
    }
    const hash = chainHash(link, previous)
    const row = {
      ...link,
      epoch,
      command_id: command?.id ?? null,
      kind: recorded.event.type,
      prev_hash: previous,
      hash,
    }
    previous = hash
    return row
  })
}

/** The sequence of each by its place; they rise in the order of the rows. */
async function insertEvents(
  trx: Transaction<Tables>,
  rows: readonly Row[],
): Promise<ReadonlyMap<string, number>> {
  const sequences = new Map<string, number>()
  for (let from = 0; from < rows.length; from += rowsTogether) {
    const stored = await trx
      .insertInto("event")
      .values(rows.slice(from, from + rowsTogether))
      .returning(["stream", "version", "sequence"])
      .execute()
    for (const row of stored) sequences.set(placeOf(row), row.sequence)
  }
  return sequences
}

const placeOf = ({ stream, version }: { readonly stream: string; readonly version: number }): string =>
  `${version} ${stream}`

/** Half a surrogate pair and NUL do not come back from every database as they went in, and would look like damage. */
const storable = (text: string): string => text.toWellFormed().replaceAll("\0", "\ufffd")

/** The results of those commands that took effect before. */
export async function resultsOf(
  db: Kysely<Tables>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, unknown>> {
  const rows = await db.selectFrom("command").select(["id", "result"]).where("id", "in", ids).execute()
  return new Map(rows.map(({ id, result }) => [id, JSON.parse(result)]))
}

/** A row as it was appended. */
export function toStored(row: Selectable<Tables["event"]>): StoredEvent {
  const { stream, version, sequence, hash, at, by, because, body } = row
  // What was written here went through `append`, and the chain shows that it is unchanged.
  return { stream, version, sequence, hash, at, by, because, event: JSON.parse(body) as StoredEvent["event"] }
}
