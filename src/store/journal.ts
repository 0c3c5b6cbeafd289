import type { Kysely, Selectable, Transaction } from "kysely"
import { canonicalJson } from "../core/model/canonical-json.ts"
import type { Clock } from "../ports/clock.ts"
import type { Append, AppendOutcome, Journal, StoredEvent } from "../ports/journal.ts"
import type { Notice } from "../ports/notifier.ts"
import { chainHash, chainStart } from "./chain.ts"
import type { Dialect } from "./dialect.ts"
import { heldLease } from "./held-lease.ts"
import { streamsIn } from "./streams.ts"
import type { Tables } from "./tables.ts"

/** Called around each commit of an append, so that a test can end the process exactly there. */
export type OnPersisted = (point: "before-append" | "after-append", version: number) => void

export function sqlJournal(dialect: Dialect, clock: Clock, onPersisted: OnPersisted): Journal {
  const { db } = dialect
  return {
    async append(append) {
      const trx = await db.startTransaction().execute()
      let decided: { readonly outcome: AppendOutcome; readonly version: number }
      try {
        await dialect.lockForAppend(trx)
        decided = await decide(trx, append, clock, dialect.locksRows)
        if (decided.outcome.kind === "appended") onPersisted("before-append", decided.version)
        await trx.commit().execute()
      } catch (error) {
        // The connection may be the very thing that died.
        await trx
          .rollback()
          .execute()
          .catch(() => undefined)
        // Another writer took the place between our look and our write.
        if (dialect.isTaken(error)) return { kind: "conflict" }
        throw error
      }
      if (decided.outcome.kind === "appended") onPersisted("after-append", decided.version)
      return decided.outcome
    },

    async read(stream, after) {
      const rows = await db
        .selectFrom("event")
        .selectAll()
        .where("stream", "=", stream)
        .where("version", ">", after)
        .orderBy("version")
        .execute()
      return rows.map(toStored)
    },

    async feed(after, limit, stream) {
      let query = db.selectFrom("event").selectAll().where("sequence", ">", after)
      if (stream !== undefined) query = query.where("stream", "=", stream)
      const rows = await query.orderBy("sequence").limit(limit).execute()
      return rows.map(toStored)
    },

    streams: () => streamsIn(db),

    async tails(places) {
      if (places.length === 0) return []
      const rows = await db
        .selectFrom("event")
        .selectAll()
        .where((eb) =>
          eb.or(
            places.map(({ stream, version }) =>
              eb.and([eb("stream", "=", stream), eb("version", ">", version)]),
            ),
          ),
        )
        .orderBy("stream")
        .orderBy("version")
        .execute()
      return rows.map(toStored)
    },

    async end() {
      const last = await db
        .selectFrom("event")
        .select("sequence")
        .orderBy("sequence", "desc")
        .limit(1)
        .executeTakeFirst()
      return last?.sequence ?? 0
    },

    commandResult: (id) => resultOf(db, id),

    async outbox(now, limit) {
      const rows = await db
        .selectFrom("outbox")
        .select(["id", "attempts", "notice"])
        .where("due_at", "<=", now)
        .orderBy("due_at")
        .orderBy("id")
        .limit(limit)
        .execute()
      return rows.map((row) => ({
        id: row.id,
        attempts: row.attempts,
        notice: JSON.parse(row.notice) as Notice,
      }))
    },

    async outboxDone(id) {
      await db.deleteFrom("outbox").where("id", "=", id).execute()
    },

    async outboxFailed(id, error, retryAt) {
      await db
        .updateTable("outbox")
        .set((eb) => ({
          attempts: eb("attempts", "+", 1),
          due_at: retryAt ?? null,
          last_error: error.toWellFormed().slice(0, 1_000),
        }))
        .where("id", "=", id)
        .execute()
    },
  }
}

type Db = Kysely<Tables>
type Decided = { readonly outcome: AppendOutcome; readonly version: number }

/** One append inside its transaction: all of it is written, or nothing. */
async function decide(
  trx: Transaction<Tables>,
  append: Append,
  clock: Clock,
  locksRows: boolean,
): Promise<Decided> {
  const { stream, expected, epoch, events, command, outbox } = append
  const refused = (outcome: AppendOutcome): Decided => ({ outcome, version: expected })

  // First of all, because a repeated command has its answer whoever holds the lease by now.
  if (command) {
    const result = await resultOf(trx, command.id)
    if (result !== undefined) return refused({ kind: "duplicate", result })
  }
  if (!(await heldLease(trx, { app: stream, epoch }, locksRows).executeTakeFirst()))
    return refused({ kind: "fenced" })
  const last = await trx
    .selectFrom("event")
    .select(["version", "hash"])
    .where("stream", "=", stream)
    .orderBy("version", "desc")
    .limit(1)
    .executeTakeFirst()
  if ((last?.version ?? 0) !== expected) return refused({ kind: "conflict" })

  let version = expected
  let previous = last?.hash ?? chainStart
  const stored: StoredEvent[] = []
  for (const recorded of events) {
    version += 1
    const link = {
      stream,
      version,
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
    const { sequence } = await trx
      .insertInto("event")
      .values(row)
      .returning("sequence")
      .executeTakeFirstOrThrow()
    stored.push(toStored({ ...row, sequence }))
    previous = hash
  }
  for (const notice of outbox)
    await trx
      .insertInto("outbox")
      .values({ attempts: 0, due_at: 0, last_error: null, notice: canonicalJson(notice) })
      .execute()
  if (command)
    await trx
      .insertInto("command")
      .values({ id: command.id, stream, at: clock.now(), result: canonicalJson(command.result ?? null) })
      .execute()
  return { outcome: { kind: "appended", stored }, version }
}

/** Half a surrogate pair and NUL do not come back from every database as they went in, and would look like damage. */
const storable = (text: string): string => text.toWellFormed().replaceAll("\0", "\ufffd")

async function resultOf(db: Db, id: string): Promise<unknown> {
  const row = await db.selectFrom("command").select("result").where("id", "=", id).executeTakeFirst()
  return row === undefined ? undefined : JSON.parse(row.result)
}

function toStored(row: Selectable<Tables["event"]>): StoredEvent {
  const { stream, version, sequence, hash, at, by, because, body } = row
  // What was written here went through `append`, and the chain shows that it is unchanged.
  return { stream, version, sequence, hash, at, by, because, event: JSON.parse(body) as StoredEvent["event"] }
}
