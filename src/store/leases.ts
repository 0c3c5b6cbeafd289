import { sql } from "kysely"
import type { Clock } from "../ports/clock.ts"
import { type Lease, type Leases, presenceOf } from "../ports/leases.ts"
import type { Dialect } from "./dialect.ts"
import { given } from "./epochs.ts"
import { lockOrder } from "./held-lease.ts"

/** Rows of one statement. */
const together = 500
/**
 * A control plane of the version before knows of no presence: it looks at a lease alone. To it, one that is kept by a
 * presence looks held until long after its next refreshment, and free at last when nobody refreshes it.
 */
const alone = 600_000
const refreshEvery = 120_000

/** The next one of this lease, and none of an earlier timeline. */
const nextEpoch = sql<number>`case when lease.epoch < excluded.epoch then excluded.epoch else lease.epoch + 1 end`

export function sqlLeases(dialect: Dialect, clock: Clock): Leases {
  const { db, leaseNow, leastEpoch, locksRows } = dialect
  let refreshedAt = clock.mono()
  /** Owners that showed their presence once, and no longer do. */
  const gone = () =>
    db
      .selectFrom("lease as presence")
      .select(sql<string>`substr(presence.key, ${presenceOf("").length + 1})`.as("who"))
      .where("presence.key", "like", presenceOf("%"))
      .where((eb) => eb.or([eb("presence.owner", "is", null), eb("presence.expires_at", "<=", leaseNow())]))
  /** Whoever is late once cannot come back unnoticed: after this it has to begin anew. */
  const endPresences = async (): Promise<void> => {
    await db
      .updateTable("lease")
      .set((eb) => ({ owner: null, epoch: eb("epoch", "+", 1), expires_at: 0 }))
      .where("key", "like", presenceOf("%"))
      .where("owner", "is not", null)
      .where("expires_at", "<=", leaseNow())
      .execute()
  }
  /** Keeps the leases under a presence from looking free to whoever looks at them alone. */
  const refresh = async (owner: string): Promise<void> => {
    if (clock.mono() - refreshedAt < refreshEvery) return
    refreshedAt = clock.mono()
    await db
      .updateTable("lease")
      .set({ expires_at: sql<number>`${leaseNow()} + cast(${alone} as bigint)` })
      .where("owner", "=", owner)
      .where("key", "in", (eb) =>
        eb
          .selectFrom("lease")
          .select("key")
          .where("owner", "=", owner)
          .where("key", "like", "app/%")
          .$if(locksRows, (query) => query.orderBy(lockOrder).forUpdate()),
      )
      .execute()
  }
  return {
    async acquire(key, owner, ttl) {
      const now = leaseNow()
      const until = sql<number>`${now} + cast(${ttl} as bigint)`
      const row = await db
        .insertInto("lease")
        .values({ key, owner, epoch: leastEpoch(), expires_at: until })
        .onConflict((conflict) =>
          conflict
            .column("key")
            .doUpdateSet({ owner, epoch: nextEpoch, expires_at: until })
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
      return row && given({ key, epoch: row.epoch }, dialect)
    },

    async renew(lease, owner, ttl) {
      const result = await db
        .updateTable("lease")
        .set({ expires_at: sql<number>`${leaseNow()} + cast(${ttl} as bigint)` })
        .where("key", "=", lease.key)
        .where("epoch", "=", lease.epoch)
        .where("owner", "=", owner)
        .executeTakeFirst()
      const ours = result.numUpdatedRows > 0n
      if (ours && lease.key === presenceOf(owner)) await refresh(owner)
      return ours
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

    async take(keys, owner) {
      await endPresences()
      const sorted = [...keys].sort()
      const taken: Lease[] = []
      for (let from = 0; from < sorted.length; from += together) {
        const until = sql<number>`${leaseNow()} + cast(${alone} as bigint)`
        const rows = await db
          .with("least", (query) => query.selectNoFrom(leastEpoch().as("epoch")))
          .insertInto("lease")
          .values((eb) =>
            sorted.slice(from, from + together).map((key) => ({
              key,
              owner,
              epoch: eb.selectFrom("least").select("epoch"),
              expires_at: until,
            })),
          )
          .onConflict((conflict) =>
            conflict
              .column("key")
              .doUpdateSet({ owner, epoch: nextEpoch, expires_at: until })
              .where((eb) =>
                eb.or([
                  eb("lease.owner", "is", null),
                  eb("lease.owner", "=", owner),
                  eb("lease.expires_at", "<=", leaseNow()),
                  eb("lease.owner", "in", gone()),
                ]),
              ),
          )
          .returning(["key", "epoch"])
          .execute()
        taken.push(...rows.map((row) => given(row, dialect)))
      }
      return taken
    },

    waitsFor: dialect.waitsFor,

    async open(owner, own = false) {
      const rows = await db
        .selectFrom("lease")
        .select("key")
        .where("key", "like", "app/%")
        .where((eb) =>
          eb.or([
            eb("owner", "is", null),
            eb("expires_at", "<=", leaseNow()),
            eb.and([eb("owner", "<>", owner), eb("owner", "in", gone())]),
            ...(own ? [eb("owner", "=", owner)] : []),
          ]),
        )
        .orderBy("key")
        .execute()
      return rows.map((row) => row.key)
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
