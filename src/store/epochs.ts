import { type Expression, type Kysely, type RawBuilder, sql } from "kysely"
import type { Instant } from "../core/model/time.ts"
import type { Lease } from "../ports/leases.ts"
import type { Dialect } from "./dialect.ts"
import type { Tables } from "./tables.ts"

/**
 * A database that is promoted or restored may have forgotten leases, and would give out their epochs a second time. So
 * each of its timelines has a block of epochs of its own: all of a later timeline are above all of an earlier one. A
 * whole number of JSON holds 8,192 blocks.
 */
const block = 2 ** 40
/** A restore leaves these blocks to the promotions that the store which was backed up went through meanwhile. */
const leftOut = 16
/** More than anybody gives out: so of two restores of one backup the later one begins above what the earlier gave. */
const perSecond = 256

/** In a table that every version has; the epochs of a restored store are above it. */
const key = "epochs-above"
const above = sql<number>`coalesce((select cast(value as bigint) from meta where key = ${sql.lit(key)}), 0)`

/** The least epoch that may be given out now. `timeline`: which one the database is on, from 1. */
export const leastEpoch = (timeline: Expression<number> | undefined): RawBuilder<number> =>
  timeline === undefined
    ? sql<number>`${above} + 1`
    : sql<number>`${above} + (${timeline} - 1) * ${sql.lit(block)} + 1`

const noneLeft = (name: string): Error =>
  new Error(
    `the store ${name} has no epochs left: its database was promoted or restored too often (8,192 times in all, a ` +
      `restore counts for ${leftOut}). Nothing was changed, what runs keeps running. Set up a new store with: immunity serve`,
  )

/** What a lease was given, as long as it can be told from its neighbours. */
export function given(lease: Lease, { name }: Pick<Dialect, "name">): Lease {
  if (Number.isSafeInteger(lease.epoch)) return lease
  throw noneLeft(name)
}

/** Everything that is given out from here on is above what was given out before and after the backup was made. */
export async function raiseEpochs(db: Kysely<Tables>, { name }: Dialect, now: Instant): Promise<void> {
  const { highest } = await db
    .selectFrom("lease")
    .select((eb) => eb.fn.coalesce(eb.fn.max("epoch"), sql<number>`0`).as("highest"))
    .executeTakeFirstOrThrow()
  const within = (Math.floor(Math.max(0, now) / 1_000) * perSecond) % block
  const floor = (Math.floor(highest / block) + leftOut) * block + within
  if (!Number.isSafeInteger(floor + block)) throw noneLeft(name)
  const value = String(floor)
  await db
    .insertInto("meta")
    .values({ key, value })
    .onConflict((conflict) => conflict.column("key").doUpdateSet({ value }))
    .execute()
  // A control plane of the version before looks at these alone.
  await db.updateTable("lease").set({ epoch: floor }).execute()
}
