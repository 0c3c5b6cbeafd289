import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"
import { Kysely, type SqliteDatabase, SqliteDialect, type SqliteStatement, sql } from "kysely"
import type { Clock } from "../ports/clock.ts"
import type { Dialect } from "./dialect.ts"
import { leastEpoch } from "./epochs.ts"
import { StoreDamaged, StoreFailed, StoreFull, StoreInUse, StoreReadOnly } from "./errors.ts"
import type { Tables } from "./tables.ts"

/**
 * One SQLite file through one connection. WAL with `synchronous=FULL`: a commit that was acknowledged
 * survives a power cut. Leases are measured by this process's monotonic clock, which is enough because only
 * one process writes and opening for writing frees every lease.
 */
export function sqlite(path: string, readOnly: boolean, clock: Clock): Dialect {
  const file = translated(path, () => new DatabaseSync(path, { readOnly }))
  try {
    translated(path, () => prepare(file, readOnly))
  } catch (error) {
    file.close()
    throw error
  }
  return {
    db: new Kysely<Tables>({ dialect: new SqliteDialect({ database: adapted(path, file, readOnly) }) }),
    name: path,
    types: { text: "text", whole: "integer" },
    rising: (column) => column.primaryKey().autoIncrement(),
    isTaken: (error) => codeOf(error) === unique || codeOf(error) === primaryKey,
    leaseNow: () => sql.val(Math.floor(clock.mono())),
    leastEpoch: () => leastEpoch(undefined),
    timeline: async () => "none",
    waitsFor: async () => undefined,
    // One connection, and each transaction takes the write lock as it begins.
    lockForAppend: async () => {},
    lockForSchema: async () => {},
    // The first read fixes what a transaction sees.
    freeze: async (trx) => {
      await trx.selectFrom("meta").select("key").limit(1).execute()
    },
    locksRows: false,
    check: () => {
      const found = translated(path, () => file.prepare("pragma quick_check(1)").all())
      const said = String(Object.values(found[0] ?? {})[0])
      return said === "ok" ? undefined : { stream: undefined, version: undefined, because: said }
    },
  }
}

function prepare(file: DatabaseSync, readOnly: boolean): void {
  // A checkpoint or a reader with an old snapshot may hold a lock for a moment.
  file.exec("pragma busy_timeout = 5000")
  file.exec("pragma foreign_keys = on")
  file.exec("pragma trusted_schema = off")
  if (readOnly) return
  file.exec("pragma journal_mode = wal")
  file.exec("pragma synchronous = full")
}

/** Makes node:sqlite look like what Kysely expects. */
function adapted(path: string, file: DatabaseSync, readOnly: boolean): SqliteDatabase {
  const prepared = new Map<string, SqliteStatement>()
  let failed: StoreFailed | undefined

  const guarded = <T>(act: () => T): T => {
    if (failed) throw failed
    try {
      return translated(path, act)
    } catch (error) {
      if (error instanceof StoreFailed) failed = error
      throw error
    }
  }

  const statement = (source: StatementSync): SqliteStatement => ({
    reader: source.columns().length > 0,
    all: (parameters) => guarded(() => source.all(...values(parameters))),
    run: (parameters) => guarded(() => source.run(...values(parameters))),
    iterate: (parameters) => guarded(() => source.iterate(...values(parameters))),
  })

  // A full disk makes SQLite roll back by itself; rolling back again would hide the reason behind an error.
  const rollback: SqliteStatement = {
    reader: false,
    all: () => [],
    run: () => {
      if (file.isTransaction) translated(path, () => file.exec("rollback"))
      return { changes: 0, lastInsertRowid: 0 }
    },
    iterate: () => [].values(),
  }

  return {
    prepare: (sql) => {
      if (sql === "rollback") return rollback
      const known = prepared.get(sql)
      if (known) return known
      // Whoever begins and can write means to: taking the lock at once leaves no way to fail half-way.
      const begins = sql === "begin" && !readOnly
      const made = guarded(() => statement(file.prepare(begins ? "begin immediate" : sql)))
      if (prepared.size >= 200) prepared.clear()
      prepared.set(sql, made)
      return made
    },
    close: () => file.close(),
  }
}

function values(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters.map((value) => {
    if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "bigint")
      return value
    throw new Error(`the store cannot bind a value of type ${typeof value}`)
  })
}

const unique = 2067
const primaryKey = 1555

/** SQLite's extended result code, or undefined for an error that is not SQLite's. */
export function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined
  return typeof error.errcode === "number" ? error.errcode : undefined
}

/** SQLite's codes as the store's errors; the low byte is the kind. */
function translated<T>(path: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    const said = error instanceof Error ? error.message : String(error)
    switch (code & 0xff) {
      case 5: // BUSY
      case 6: // LOCKED
        throw new StoreInUse(path, undefined)
      case 8: // READONLY
        throw new StoreReadOnly(path)
      case 10: // IOERR
        throw new StoreFailed(path, said)
      case 11: // CORRUPT
      case 26: // NOTADB
        throw new StoreDamaged(path, { stream: undefined, version: undefined, because: said })
      case 13: // FULL
        throw new StoreFull(path)
      case 14: // CANTOPEN
        throw new Error(
          `the store ${path} cannot be opened: ${said}. Check that it is a file this user may write.`,
        )
      default:
        throw error
    }
  }
}
