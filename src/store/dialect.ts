import type {
  ColumnBuilderCallback,
  ColumnDataType,
  Expression,
  Kysely,
  RawBuilder,
  Transaction,
} from "kysely"
import type { Damage } from "./errors.ts"
import type { Tables } from "./tables.ts"

/**
 * How often a database was promoted, from 1. A database without standbys has `none`; `untold`: it does not say, so all
 * its timelines count as one; `standby`: it follows another one for now.
 */
export type Timeline = number | "none" | "untold" | "standby"

/**
 * Everything in which one database differs from another; the rest of the store is the same code for all.
 */
export type Dialect = {
  readonly db: Kysely<Tables>
  /** For messages: its path, or its address without a secret. */
  readonly name: string
  readonly types: { readonly text: ColumnDataType; readonly whole: ColumnDataType }
  /** Makes a column the key that the database counts up. */
  readonly rising: ColumnBuilderCallback
  /** Whether a write failed because another writer was first. */
  isTaken(error: unknown): boolean
  /** Milliseconds of the clock that leases are measured by; read inside the transaction. */
  leaseNow(): Expression<number>
  /** The least epoch that may be given out, as of the statement that asks (see epochs.ts). */
  leastEpoch(): RawBuilder<number>
  /** Which timeline the database is on; to be asked once before epochs are given out. */
  timeline(): Promise<Timeline>
  /** What a write has been waiting for, for seconds, in a sentence that says what to do; undefined: for nothing known. */
  waitsFor(): Promise<string | undefined>
  /** Makes appends wait for each other, where the database alone would let them overlap. */
  lockForAppend(trx: Transaction<Tables>): Promise<void>
  /** Makes a transaction that has just begun see one moment, whatever others write meanwhile. */
  freeze(trx: Kysely<Tables>): Promise<void>
  /** Makes only one control plane make the tables. */
  lockForSchema(trx: Transaction<Tables>): Promise<void>
  /** Whether a row that was read can be kept from changing until the transaction ends. */
  readonly locksRows: boolean
  /** Looks for damage that the database itself can see. */
  check(): Damage | undefined
}
