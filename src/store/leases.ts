import { sql } from "kysely"
import type { Leases } from "../ports/leases.ts"
import type { Dialect } from "./dialect.ts"

export function sqlLeases({ db, leaseNow }: Dialect): Leases {
  return {
    async acquire(key, owner, ttl) {
      const now = leaseNow()
      const until = sql<number>`${now} + cast(${ttl} as bigint)`
      const row = await db
        .insertInto("lease")
        .values({ key, owner, epoch: 1, expires_at: until })
        .onConflict((conflict) =>
          conflict
            .column("key")
            .doUpdateSet((eb) => ({ owner, epoch: eb("lease.epoch", "+", 1), expires_at: until }))
            // Its own owner may take it anew: with the next epoch it fences off what it did before.
            .where((eb) =>
              eb.or([
                eb("lease.owner", "is", null),
                eb("lease.owner", "=", owner),
                eb("lease.expires_at", "<=", now),
              ]),
            ),
        )
        .returning("epoch")
        .executeTakeFirst()
      return row && { key, epoch: row.epoch }
    },

    async renew(lease, owner, ttl) {
      const result = await db
        .updateTable("lease")
        .set({ expires_at: sql<number>`${leaseNow()} + cast(${ttl} as bigint)` })
        .where("key", "=", lease.key)
        .where("epoch", "=", lease.epoch)
        .where("owner", "=", owner)
        .executeTakeFirst()
      return result.numUpdatedRows > 0n
    },

    async release(lease, owner) {
      await db
        .updateTable("lease")
        .set({ owner: null, expires_at: 0 })
        .where("key", "=", lease.key)
        .where("epoch", "=", lease.epoch)
        .where("owner", "=", owner)
        .execute()
    },
  }
}

/**
 * Frees every lease. Only for a store that has one writer and has just been opened by it: whoever held them
 * is dead, and waiting for them to expire would only delay the recovery. Epochs still rise.
 */
export async function freeLeases({ db }: Dialect): Promise<void> {
  await db.updateTable("lease").set({ owner: null, expires_at: 0 }).execute()
}
