import type { ColumnBuilderCallback, ColumnDataType, Kysely } from "kysely"
import type { Damage } from "./errors.ts"
import type { Tables } from "./tables.ts"

/**
 * Everything in which one database differs from another; the rest of the store is the same code for all.
 */
export type Dialect = {
  readonly db: Kysely<Tables>
  readonly types: { readonly text: ColumnDataType; readonly whole: ColumnDataType }
  /** Makes a column the key that the database counts up. */
  readonly rising: ColumnBuilderCallback
  /** Whether a write failed because another writer was first. */
  isTaken(error: unknown): boolean
  /** Milliseconds of the clock that leases are measured by; read inside the transaction. */
  leaseNow(): number
  /** Looks for damage that the database itself can see. */
  check(): Damage | undefined
}
