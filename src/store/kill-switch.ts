import { canonicalJson } from "../core/model/canonical-json.ts"
import type { Clock } from "../ports/clock.ts"
import type { Killed, KillSwitch } from "../ports/kill-switch.ts"
import type { Dialect } from "./dialect.ts"

/** In a table that every version has: a control plane of the version before goes on beside this one. */
const key = "kill-switch"

export function sqlKillSwitch({ db }: Dialect, clock: Clock): KillSwitch {
  return {
    async read() {
      const row = await db.selectFrom("meta").select("value").where("key", "=", key).executeTakeFirst()
      return row && (JSON.parse(row.value) as Killed)
    },
    async set(by, reason) {
      const killed: Killed = { by, at: clock.now(), reason }
      await db
        .insertInto("meta")
        .values({ key, value: canonicalJson(killed) })
        .onConflict((conflict) => conflict.doNothing())
        .execute()
    },
    async lift() {
      await db.deleteFrom("meta").where("key", "=", key).execute()
    },
  }
}
