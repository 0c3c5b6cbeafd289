import {
  type CompiledQuery,
  type Kysely as Database,
  Kysely,
  PostgresDialect,
  type PostgresPool,
  type RawBuilder,
  sql,
} from "kysely"
import pg from "pg"
import type { Dialect, Timeline } from "./dialect.ts"
import { leastEpoch } from "./epochs.ts"
import { StoreFull, StoreReadOnly, StoreUnreachable } from "./errors.ts"
import type { Tables } from "./tables.ts"

export type PostgresOptions = {
  /** `postgres://user:secret@host:5432/name`, or `postgres:///name?host=/var/run/postgresql`. */
  readonly url: string
  /**
   * Talks to the one that is written to alone. A standby answers with what it knows by now, and whoever decides on that
   * would take it for a journal that went back.
   */
  readonly primaryOnly?: boolean | undefined
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
const recoveryInProgress = "55000"
/** It is ended, or starts; or a statement took longer than it may. */
const interrupted = "57"
/** A function that is not there, may not be called, or that a managed database does not have. */
const refusals: ReadonlySet<string | undefined> = new Set(["42883", "42501", "0A000"])

/**
 * The timeline of the server that answers, from 1; each promotion begins the next one. It stands in the name of the file
 * that is being written, which is right from the first moment of a promotion on.
 */
const timeline = sql<number>`cast(cast('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) as bit(32)) as bigint)`

/** Longer than the database itself lets a statement take, or a transaction stand still. */
const answerWithin = 20_000
const unanswered = `it did not answer within ${answerWithin / 1_000} s, so what it was asked to store may be stored or not`

/** Counts and instants fit a double exactly; the driver's default of text is for those that do not. */
const int8 = 20

/**
 * One PostgreSQL database, shared by several control planes. Leases are measured by the database's clock, the one
 * that all of them share.
 */
export function postgres({ url, primaryOnly = false, ahead = () => 0 }: PostgresOptions): Dialect {
  const name = withoutSecret(url)
  const pool = new pg.Pool({
    connectionString: url,
    max: 8,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 15_000,
    // The database's own patience is of no use when its answers are lost on the way, as one is that nobody sends.
    query_timeout: answerWithin,
    // Whoever hangs with locks in hand is ended by the database.
    idle_in_transaction_session_timeout: 15_000,
    application_name: "immunity",
    ...(primaryOnly
      ? { verify: (client, done) => void refuseStandby(name, client).then(() => done(), done) }
      : {}),
    types: {
      getTypeParser: (oid, format) =>
        oid === int8 && format !== "binary" ? Number : pg.types.getTypeParser(oid, format),
    },
  })
  // An idle connection that dies is no event: the next use opens another one.
  pool.on("error", () => {})
  // Nor is one that dies between two statements of a transaction: the next statement says so. Unheard, it would end us.
  pool.on("connect", (client) => {
    client.on("error", () => {})
    endUnanswered(client)
  })
  const reachable: PostgresPool = {
    connect: () =>
      pool.connect().catch((error: unknown) => {
        throw translated(name, error)
      }),
    end: () => pool.end(),
    options: pool.options,
  }
  const dialect = new PostgresDialect({
    pool: reachable,
    onCreateConnection: async (connection) => {
      const ask = connection.executeQuery.bind(connection)
      const executeQuery = (query: CompiledQuery) =>
        ask(query).catch((error: unknown) => {
          throw translated(name, error)
        })
      Object.assign(connection, { executeQuery })
    },
  })
  const db = new Kysely<Tables>({ dialect })
  let tells = true
  return {
    db,
    name,
    types: { text: "text", whole: "bigint" },
    rising: (column) => column.primaryKey().generatedAlwaysAsIdentity(),
    isTaken: (error) => codeOf(error) === uniqueViolation,
    leaseNow: () =>
      sql<number>`cast(extract(epoch from clock_timestamp()) * 1000 as bigint) + cast(${ahead()} as bigint)`,
    leastEpoch: () => leastEpoch(tells ? timeline : undefined),
    async timeline() {
      const found = await timelineOf(db)
      tells = found !== "untold"
      return found
    },
    waitsFor: () =>
      standbyAwaited(url).catch((error: unknown) => {
        throw translated(name, error)
      }),
    lockForAppend: (trx) => advisoryLock(trx, appendLock),
    lockForSchema: (trx) => advisoryLock(trx, schemaLock),
    freeze: async (trx) => {
      await sql`set transaction isolation level repeatable read, read only`.execute(trx)
    },
    locksRows: true,
    check: () => undefined,
  }
}

async function refuseStandby(name: string, client: pg.PoolClient): Promise<void> {
  const { rows } = await client.query<{ standby: boolean }>("select pg_is_in_recovery() as standby")
  if (rows[0]?.standby)
    throw new Error(
      `the store ${name} cannot be reached: its address leads to a standby. What runs keeps running; nothing is ` +
        "changed until the standby is promoted, or the address leads to the primary.",
    )
}

/**
 * A commit waits without an end for a synchronous standby that is away, and whoever asked for it hears nothing. Only
 * another connection can see why, and one of its own, as all of the pool may wait like that. As a short wait is what such a
 * standby is for, it is told of after a while.
 */
async function standbyAwaited(url: string): Promise<string | undefined> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    query_timeout: 5_000,
    application_name: "immunity",
  })
  client.on("error", () => {})
  try {
    await client.connect()
    const { rows } = await client.query<{ names: string }>(`
      select current_setting('synchronous_standby_names') as names from pg_stat_activity
      where datname = current_database() and usename = current_user and wait_event = 'SyncRep'
        and state_change < clock_timestamp() - interval '3 seconds'
      limit 1`)
    return (
      rows[0] &&
      `PostgreSQL waits for a synchronous standby that is away or behind (synchronous_standby_names = '${rows[0].names}'), ` +
        "so nothing is stored and nothing is changed; what runs keeps running. Bring that standby back, or name another " +
        "one there and reload: what waits goes on then"
    )
  } finally {
    // Not waited for: it says goodbye to somebody who may be gone.
    void client.end().catch(() => {})
  }
}

/**
 * A connection whose answer did not come is of no more use to anybody: whatever is asked on it waits behind that answer.
 * Ended, it leaves the pool, and a rollback on it fails at once; the database rolls back by itself.
 */
function endUnanswered(client: pg.PoolClient): void {
  const ask = client.query.bind(client) as (text: string, values?: unknown[]) => Promise<pg.QueryResult>
  const query = (text: string, values?: unknown[]) =>
    ask(text, values).catch((error: unknown) => {
      if (isUnanswered(error)) void client.end().catch(() => {})
      throw error
    })
  Object.assign(client, { query })
}

async function timelineOf(db: Database<Tables>): Promise<Timeline> {
  try {
    const { found } = await db.selectNoFrom(timeline.as("found")).executeTakeFirstOrThrow()
    return found
  } catch (error) {
    const code = codeOf(error)
    if (code === recoveryInProgress) return "standby"
    if (refusals.has(code)) return "untold"
    throw error
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

/** The store's own errors for those of the database that people should understand; others unchanged. */
function translated(name: string, error: unknown): unknown {
  const code = codeOf(error)
  if (code === diskFull) return new StoreFull(name)
  if (code === readOnlyTransaction) return new StoreReadOnly(name)
  if (code?.startsWith("E") || code?.startsWith(interrupted) || isTimeout(error)) {
    const said = error instanceof Error ? error.message || code : String(error)
    return new StoreUnreachable(name, isUnanswered(error) ? unanswered : `${said}`, error)
  }
  return error
}

const isTimeout = (error: unknown): boolean =>
  error instanceof Error &&
  (isUnanswered(error) ||
    /timeout exceeded when trying to connect|Connection terminated|not queryable/.test(error.message))

const isUnanswered = (error: unknown): boolean =>
  error instanceof Error && error.message === "Query read timeout"

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
