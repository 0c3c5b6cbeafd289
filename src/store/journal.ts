import type { Clock } from "../ports/clock.ts"
import type { Journal } from "../ports/journal.ts"
import type { Notice } from "../ports/notifier.ts"
import { resultsOf, toStored } from "./append-together.ts"
import { Appends, type OnPersisted } from "./appends.ts"
import type { Dialect } from "./dialect.ts"
import { streamsIn } from "./streams.ts"

/** `inRoom` makes room on a full disk for one more try, if it can. */
export function sqlJournal(
  dialect: Dialect,
  clock: Clock,
  onPersisted: OnPersisted,
  inRoom: <T>(write: () => Promise<T>) => Promise<T>,
): Journal {
  const { db } = dialect
  const appends = new Appends(dialect, clock, onPersisted, inRoom)
  return {
    append: (append) => appends.append(append),

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

    commandResult: async (id) => (await resultsOf(db, [id])).get(id),

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
