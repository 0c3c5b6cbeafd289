import { closeSync, existsSync, mkdirSync, openSync, realpathSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import type { Kysely } from "kysely"
import type { Instant } from "../core/model/time.ts"
import type { Clock } from "../ports/clock.ts"
import type { Evidence } from "../ports/evidence.ts"
import type { Journal } from "../ports/journal.ts"
import type { KillSwitch } from "../ports/kill-switch.ts"
import type { Leases } from "../ports/leases.ts"
import type { Orders } from "../ports/orders.ts"
import type { Policies } from "../ports/policies.ts"
import { noSnapshots, type Snapshots } from "../ports/snapshots.ts"
import type { OnPersisted } from "./appends.ts"
import { backupLines, restoreLines } from "./backup.ts"
import { type Ballast, freeBytes, keepBallast, noBallast } from "./ballast.ts"
import { checkStreams } from "./check-streams.ts"
import { createTables, migrateTables } from "./create-tables.ts"
import type { Dialect, Timeline } from "./dialect.ts"
import { type Damage, StoreDamaged, StoreFull, StoreReadOnly, StoreTooNew } from "./errors.ts"
import { sqlEvidence } from "./evidence.ts"
import { sqlJournal } from "./journal.ts"
import { sqlKillSwitch } from "./kill-switch.ts"
import { freeLeases, sqlLeases } from "./leases.ts"
import { sqlOrders } from "./orders.ts"
import { sqlPolicies } from "./policies.ts"
import type { PostgresOptions } from "./postgres.ts"
import { becomeWriter } from "./single-writer.ts"
import { sqlSnapshots } from "./snapshots.ts"
import { sqlite } from "./sqlite.ts"
import { schemaVersion, type Tables } from "./tables.ts"

export type StoreOptions = {
  /** The database file; `:memory:` for one that is gone when it is closed. Its folder is made when missing. */
  readonly path: string
  readonly clock: Clock
  /** Opens beside a writer, or opens what is damaged; every write is refused. */
  readonly readOnly?: boolean | undefined
  readonly onPersisted?: OnPersisted | undefined
  /** Names the code that folds events, for whose snapshots are believed; without it there are none. */
  readonly foldCode?: string | undefined
}

export type Store = {
  readonly journal: Journal
  readonly leases: Leases
  readonly evidence: Evidence
  readonly policies: Policies
  readonly killSwitch: KillSwitch
  readonly orders: Orders
  readonly snapshots: Snapshots
  /** Everything at one moment, as lines with their ends. */
  backup(): AsyncIterable<string>
  /** Takes a backup's lines, without their ends, into this empty store; how many rows. Throws BackupRefused. */
  restore(lines: AsyncIterable<string>): Promise<number>
  health(): Promise<StoreHealth>
  timeline(): Promise<Timeline>
  /** What a write has been waiting for, for seconds, in a sentence that says what to do; undefined: for nothing known. */
  waitsFor(): Promise<string | undefined>
  /**
   * Follows the chain of every stream from its first event, waiting for `pause` after each thousand events. Throws
   * StoreDamaged.
   */
  audit(pause: () => Promise<void>): Promise<void>
  /** Forgets the intervals that ended before a moment; how many. Bundles that decisions rest on are kept. */
  pruneIntervals(before: Instant): Promise<number>
  close(): Promise<void>
}

export type StoreHealth = {
  readonly readOnly: boolean
  readonly damage: Damage | undefined
  readonly schema: number
  /** Bytes left on its disk; undefined for a store in memory. */
  readonly diskFree: number | undefined
  /** `spent`: the reserve for the last decisions on a full disk is used up. Start nothing new until there is room. */
  readonly ballast: "kept" | "spent"
  /** Notices that are never tried again. */
  readonly deadLetters: number
}

/**
 * Opens a store and makes sure that it can be trusted: the database's own check, then the hash chain of every
 * stream from its snapshot on; read-only all of it. Throws StoreInUse when another process writes to it, StoreTooNew when a newer version wrote it,
 * StoreDamaged when it was changed or broke (open it with `readOnly` then), StoreFull when there is no room.
 * Opening for writing frees all leases: whoever held them is dead.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { clock, readOnly = false, onPersisted = () => {}, foldCode } = options
  const onDisk = options.path !== ":memory:"
  const path = onDisk ? prepared(options.path, readOnly) : options.path
  const lock = onDisk && !readOnly ? becomeWriter(path) : undefined
  let dialect: Dialect | undefined
  try {
    const ballast = lock ? await keepBallast(path) : noBallast
    dialect = sqlite(path, readOnly, clock)
    const schema = await openSchema(dialect, readOnly)
    const damage = await checkStreams(dialect, { sinceSnapshots: !readOnly })
    if (damage && !readOnly) throw new StoreDamaged(path, damage)
    if (!readOnly) await freeLeases(dialect)
    const opened = { path, clock, readOnly, onDisk, schema, damage, ballast, onPersisted, foldCode, lock }
    return storeOver(dialect, opened)
  } catch (error) {
    await dialect?.db.destroy()
    lock?.release()
    throw error
  }
}

export type SharedStoreOptions = PostgresOptions & {
  readonly clock: Clock
  /** A file of this control plane: no second process may take its name, and with it its leases. */
  readonly holder?: string | undefined
  readonly onPersisted?: OnPersisted | undefined
  readonly foldCode?: string | undefined
}

/**
 * Opens a store on PostgreSQL, which several control planes may share. Throws StoreTooNew and StoreDamaged as
 * `openStore` does, and a sentence when the database cannot be reached.
 */
export async function openSharedStore(options: SharedStoreOptions): Promise<Store> {
  const { clock, holder, onPersisted = () => {}, foldCode } = options
  const lock = holder === undefined ? undefined : becomeWriter(holder)
  const { postgres } = await import("./postgres.ts")
  const dialect = postgres({ primaryOnly: holder !== undefined, ...options })
  const path = dialect.name
  try {
    const schema = await openSchema(dialect, false)
    const damage = await checkStreams(dialect, { sinceSnapshots: true })
    if (damage) throw new StoreDamaged(path, damage)
    await dialect.timeline()
    const opened = { path, clock, readOnly: false, onDisk: false, schema, damage, ballast: noBallast }
    return storeOver(dialect, { ...opened, onPersisted, foldCode, lock })
  } catch (error) {
    await dialect.db.destroy()
    lock?.release()
    throw error
  }
}

type Opened = {
  readonly path: string
  readonly clock: Clock
  readonly readOnly: boolean
  readonly onDisk: boolean
  readonly schema: number
  readonly damage: Damage | undefined
  readonly ballast: Ballast
  readonly onPersisted: OnPersisted
  readonly foldCode: string | undefined
  readonly lock: { readonly release: () => void } | undefined
}

function storeOver(dialect: Dialect, opened: Opened): Store {
  const { path, clock, readOnly, onDisk, schema, damage, ballast, onPersisted, foldCode, lock } = opened
  /** A decision and what it rests on may use up the ballast; nothing else may. */
  const withRoom = async <T>(write: () => Promise<T>): Promise<T> => {
    try {
      return await write()
    } catch (error) {
      if (!(error instanceof StoreFull) || !ballast.drop()) throw error
      return write()
    }
  }
  const journal = sqlJournal(dialect, clock, onPersisted, withRoom)
  const leases = sqlLeases(dialect, clock)
  const evidence = sqlEvidence(dialect, clock)

  return {
    journal: {
      ...journal,
      append: async (append) => {
        // Even one that would be refused anyway: nobody may take the refusal of a closed door for a judgement.
        if (readOnly) throw new StoreReadOnly(path)
        return journal.append(append)
      },
    },
    leases: {
      ...leases,
      acquire: (key, owner, ttl) => withRoom(() => leases.acquire(key, owner, ttl)),
      take: (keys, owner) => withRoom(() => leases.take(keys, owner)),
      renew: (lease, owner, ttl) => withRoom(() => leases.renew(lease, owner, ttl)),
    },
    evidence: { ...evidence, put: (by, bundle) => withRoom(() => evidence.put(by, bundle)) },
    policies: sqlPolicies(dialect, clock),
    killSwitch: sqlKillSwitch(dialect, clock),
    orders: sqlOrders(dialect, clock),
    snapshots: foldCode === undefined ? noSnapshots : sqlSnapshots(dialect, foldCode),
    pruneIntervals: evidence.pruneIntervals,
    timeline: dialect.timeline,
    waitsFor: dialect.waitsFor,
    backup: () => backupLines(dialect, clock.now()),
    restore: (lines) => restoreLines(dialect, lines, clock.now()),
    async audit(pause) {
      const checked = { db: dialect.db, check: () => undefined }
      const found = await checkStreams(checked, { sinceSnapshots: false, pause })
      if (found) throw new StoreDamaged(path, found)
    },
    async health() {
      const dead = await dialect.db
        .selectFrom("outbox")
        .select((eb) => eb.fn.countAll<number>().as("count"))
        .where("due_at", "is", null)
        .executeTakeFirstOrThrow()
      return {
        readOnly,
        damage,
        schema,
        diskFree: onDisk ? await freeBytes(path) : undefined,
        ballast: onDisk ? ballast.state() : "kept",
        deadLetters: dead.count,
      }
    },
    async close() {
      await dialect.db.destroy()
      lock?.release()
    },
  }
}

/** The real place of the file, so that two names of one file are one store; readable by this user alone. */
function prepared(path: string, readOnly: boolean): string {
  const wanted = resolve(path)
  if (!existsSync(wanted)) {
    if (readOnly)
      throw new Error(`there is no store at ${wanted}. Start \`immunity serve\` once, or correct the path.`)
    mkdirSync(dirname(wanted), { recursive: true, mode: 0o700 })
    closeSync(openSync(wanted, "a", 0o600))
  }
  const place = realpathSync(wanted)
  if (!statSync(place).isFile())
    throw new Error(`the store ${place} cannot be opened: it is not a file. Correct the path.`)
  return place
}

/** Makes the tables of an empty file, or refuses a file that a newer version wrote. The schema's version. */
async function openSchema(dialect: Dialect, readOnly: boolean): Promise<number> {
  if (readOnly) return schemaIn(dialect.db, dialect.name)
  return dialect.db.transaction().execute(async (trx) => {
    await dialect.lockForSchema(trx)
    if ((await trx.introspection.getTables()).length === 0) await createTables(trx, dialect)
    const found = await schemaIn(trx, dialect.name)
    if (found < schemaVersion) await migrateTables(trx, dialect, found)
    return schemaVersion
  })
}

async function schemaIn(db: Kysely<Tables>, path: string): Promise<number> {
  const tables = await db.introspection.getTables()
  if (tables.length === 0) throw new Error(`the store ${path} is empty: nothing was ever stored in it.`)
  const row = tables.some((table) => table.name === "meta")
    ? await db.selectFrom("meta").select("value").where("key", "=", "schema").executeTakeFirst()
    : undefined
  const found = Number(row?.value)
  if (!Number.isInteger(found))
    throw new Error(
      `${path} is a database, but not a store of Immunity. Correct the path; nothing was changed.`,
    )
  if (found > schemaVersion) throw new StoreTooNew(path, found, schemaVersion)
  return found
}
