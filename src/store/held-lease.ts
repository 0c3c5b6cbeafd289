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
