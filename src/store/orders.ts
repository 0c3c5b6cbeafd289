import { canonicalJson } from "../core/model/canonical-json.ts"
import type { Clock } from "../ports/clock.ts"
import type { Order, Orders } from "../ports/orders.ts"
import type { Dialect } from "./dialect.ts"

/** Orders that nobody came back for are forgotten after this long. */
const keptFor = 10 * 60_000

export function sqlOrders({ db }: Dialect, clock: Clock): Orders {
  return {
    async leave({ id, app, command, by }) {
      await db
        .deleteFrom("order")
        .where("at", "<", clock.now() - keptFor)
        .execute()
      await db
        .insertInto("order")
        .values({ id, app, command: canonicalJson(command), by, at: clock.now(), answer: null })
        .onConflict((conflict) => conflict.doNothing())
        .execute()
    },
    async waiting(limit) {
      const rows = await db
        .selectFrom("order")
        .select(["id", "app", "command", "by"])
        .where("answer", "is", null)
        .orderBy("at")
        .orderBy("id")
        .limit(limit)
        .execute()
      return rows.map((row) => ({ ...row, command: JSON.parse(row.command) as Order["command"] }))
    },
    async answer(id, answer) {
      await db
        .updateTable("order")
        .set({ answer: canonicalJson(answer) })
        .where("id", "=", id)
        .execute()
    },
    async take(id) {
      const row = await db.selectFrom("order").select("answer").where("id", "=", id).executeTakeFirst()
      if (row?.answer === null || row === undefined) return undefined
      await db.deleteFrom("order").where("id", "=", id).execute()
      return JSON.parse(row.answer)
    },
  }
}
