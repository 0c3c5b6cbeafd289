import { type Kysely, type SelectQueryBuilder, sql } from "kysely"
import type { Writer } from "../ports/evidence.ts"
import type { Tables } from "./tables.ts"

/**
 * One row while this epoch is the newest of the application's lease and nobody gave it back, none otherwise. With
 * `locksRows` it stays so until the transaction (or the statement, outside of one) ends.
 */
export function heldLease(
  db: Kysely<Tables>,
  { app, epoch }: Writer,
  locksRows: boolean,
): SelectQueryBuilder<Tables, "lease", { readonly held: number }> {
  return db
    .selectFrom("lease")
    .select(sql<number>`1`.as("held"))
    .where("key", "=", `app/${app}`)
    .where("epoch", "=", epoch)
    .where("owner", "is not", null)
    .$if(locksRows, (query) => query.forShare())
}

/**
 * Whoever locks several leases does so in the order of their keys, as sorting texts here gives it: so nobody waits for
 * one who waits for them.
 */
export const lockOrder = sql<string>`key collate "C"`

/**
 * Which of these writers' applications are held by them still, as `heldLease` says it.
 */
export async function heldLeases(
  db: Kysely<Tables>,
  writers: readonly Writer[],
  locksRows: boolean,
): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom("lease")
    .select(["key", "epoch"])
    .where("owner", "is not", null)
    .where(
      "key",
      "in",
      writers.map(({ app }) => `app/${app}`),
    )
    .$if(locksRows, (query) => query.orderBy(lockOrder).forShare())
    .execute()
  const newest = new Map(rows.map(({ key, epoch }) => [key, epoch]))
  return new Set(writers.filter(({ app, epoch }) => newest.get(`app/${app}`) === epoch).map(({ app }) => app))
}
