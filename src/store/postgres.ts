import {
  type Kysely as Database,
  Kysely,
  PostgresDialect,
  type PostgresPool,
  type RawBuilder,
  sql,
} from "kysely"
import pg from "pg"
import type { Dialect } from "./dialect.ts"
import { StoreFull, StoreReadOnly } from "./errors.ts"
import type { Tables } from "./tables.ts"

export type PostgresOptions = {
  /** `postgres://user:secret@host:5432/name`, or `postgres:///name?host=/var/run/postgresql`. */
  readonly url: string
  /** For tests: milliseconds by which the clock of the leases is ahead of the database's. */
  readonly ahead?: (() => number) | undefined
}

/** Of the advisory lock that puts appends in one order, and of the one for the schema. Any two numbers. */
const appendLock = 7_300_001
const schemaLock = 7_300_002

/** PostgreSQL's codes: https://www.postgresql.org/docs/15/errcodes-appendix.html */
const uniqueViolation = "23505"
const diskFull = "53100"
const readOnlyTransaction = "25006"

/** Counts and instants fit a double exactly; the driver's default of text is for those that do not. */
const int8 = 20

/**
 * One PostgreSQL database, shared by several control planes. Leases are measured by the database's clock, the one
 * that all of them share.
 */
export function postgres({ url, ahead = () => 0 }: PostgresOptions): Dialect {
  const name = withoutSecret(url)
  const pool = new pg.Pool({
    connectionString: url,
    max: 8,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 15_000,
    // Whoever hangs with locks in hand is ended by the database.
    idle_in_transaction_session_timeout: 15_000,
    application_name: "immunity",
    types: {
      getTypeParser: (oid, format) =>
        oid === int8 && format !== "binary" ? Number : pg.types.getTypeParser(oid, format),
    },
  })
  // An idle connection that dies is no event: the next use opens another one.
  pool.on("error", () => {})
  // Nor is one that dies between two statements of a transaction: the next statement says so. Unheard, it would end us.
  pool.on("connect", (client) => client.on("error", () => {}))
  const reachable: PostgresPool = {
    connect: () =>
      pool.connect().catch((error: unknown) => {
        throw translated(name, error)
      }),
    end: () => pool.end(),
    options: pool.options,
  }
  return {
    db: new Kysely<Tables>({ dialect: new PostgresDialect({ pool: reachable }) }),
    name,
    types: { text: "text", whole: "bigint" },
    rising: (column) => column.primaryKey().generatedAlwaysAsIdentity(),
    isTaken: (error) => codeOf(error) === uniqueViolation,
    translate: (error) => translated(name, error),
    leaseNow: () =>
      sql<number>`cast(extract(epoch from clock_timestamp()) * 1000 as bigint) + cast(${ahead()} as bigint)`,
    lockForAppend: (trx) => advisoryLock(trx, appendLock),
    lockForSchema: (trx) => advisoryLock(trx, schemaLock),
    freeze: async (trx) => {
      await sql`set transaction isolation level repeatable read, read only`.execute(trx)
    },
    locksRows: true,
    check: () => undefined,
  }
}

/**
 * Held to the end of the transaction. Appends of all streams wait for each other, so that the order of their sequence
 * numbers is the order in which they become visible: whoever follows the feed misses nothing.
 */
async function advisoryLock(trx: Database<Tables>, key: number): Promise<void> {
  const lock: RawBuilder<unknown> = sql`select pg_advisory_xact_lock(${key})`
  await lock.execute(trx)
}

function translated(name: string, error: unknown): unknown {
  const code = codeOf(error)
  if (code === diskFull) return new StoreFull(name)
  if (code === readOnlyTransaction) return new StoreReadOnly(name)
  if (code?.startsWith("E") || code?.startsWith("57P") || isTimeout(error)) {
    const said = error instanceof Error ? error.message || code : String(error)
    return new Error(
      `the store ${name} cannot be reached: ${said}. What runs keeps running; nothing is changed until it answers.`,
      { cause: error },
    )
  }
  return error
}

const isTimeout = (error: unknown): boolean =>
  error instanceof Error &&
  /timeout exceeded when trying to connect|Connection terminated/.test(error.message)

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined
  return typeof error.code === "string" ? error.code : undefined
}

/** The address without its password, for messages and logs. */
function withoutSecret(url: string): string {
  try {
    const parsed = new URL(url)
    parsed.password = ""
    parsed.searchParams.delete("password")
    return parsed.toString()
  } catch {
    return "postgres://…"
  }
}
