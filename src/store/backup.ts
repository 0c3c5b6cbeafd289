import { createHash } from "node:crypto"
import type { Kysely, Transaction } from "kysely"
import { canonicalJson } from "../core/model/canonical-json.ts"
import type { Instant } from "../core/model/time.ts"
import { checkStreams } from "./check-streams.ts"
import type { Dialect } from "./dialect.ts"
import { raiseEpochs } from "./epochs.ts"
import { schemaVersion, type Tables } from "./tables.ts"

/** What a backup holds, in the order it is written; columns that a database counts up by itself are left to it. */
const kept = {
  event: {
    order: "sequence",
    columns: [
      "stream",
      "version",
      "epoch",
      "command_id",
      "kind",
      "at",
      "by",
      "because",
      "body",
      "prev_hash",
      "hash",
    ],
  },
  command: { order: "id", columns: ["id", "stream", "at", "result"] },
  lease: { order: "key", columns: ["key", "epoch", "expires_at"] },
  outbox: { order: "id", columns: ["attempts", "due_at", "last_error", "notice"] },
  interval: {
    order: "id",
    columns: ["app", "rollout", "stage", "step", "from_at", "to_at", "judged", "measurements"],
  },
  evidence: { order: "hash", columns: ["hash", "body", "at"] },
  policy: { order: "app", columns: ["app", "yaml", "at"] },
} as const
type Kept = keyof typeof kept

const format = "immunity-backup"
const page = 500

/** A backup that cannot be restored; nothing was changed. */
export class BackupRefused extends Error {
  override readonly name = "BackupRefused"
}

/**
 * Everything in a store at one moment, as lines of JSON: a header, the rows, and a last line with their count and their
 * sha256, so that a part of a backup is never taken for the whole. The same for every database.
 */
export async function* backupLines(dialect: Dialect, at: number): AsyncGenerator<string> {
  const sum = createHash("sha256")
  let count = 0
  const line = (value: unknown): string => {
    const text = `${canonicalJson(value)}\n`
    sum.update(text)
    count++
    return text
  }
  const trx = await dialect.db.startTransaction().execute()
  try {
    await dialect.freeze(trx)
    yield line({ format, schema: schemaVersion, at })
    for (const table of Object.keys(kept) as Kept[])
      for await (const row of rowsOf(trx, table)) yield line({ table, row })
  } finally {
    await trx.rollback().execute()
  }
  yield `${canonicalJson({ lines: count, sha256: sum.digest("hex") })}\n`
}

async function* rowsOf(db: Kysely<Tables>, table: Kept): AsyncGenerator<Record<string, unknown>> {
  const { order, columns } = kept[table]
  for (let after: unknown; ; ) {
    // The columns of seven tables have no common type; each name is checked against its own table above.
    let query = db
      .selectFrom(table as "policy")
      .selectAll()
      .orderBy(order as "app")
      .limit(page)
    if (after !== undefined) query = query.where(order as "app", ">", after as string)
    const rows: readonly Record<string, unknown>[] = await query.execute()
    for (const row of rows) yield Object.fromEntries(columns.map((column) => [column, row[column]]))
    if (rows.length < page) return
    after = rows.at(-1)?.[order]
  }
}

/**
 * Puts a backup into an empty store, all of it or nothing. Throws BackupRefused when the store holds something, when
 * the backup is cut short or was changed, and when its journal is not the chain it claims to be. It may be older than
 * what the servers have obeyed, and the store that it was made of may still be in use: so its epochs go on above both.
 */
export async function restoreLines(
  dialect: Dialect,
  lines: AsyncIterable<string>,
  now: Instant,
): Promise<number> {
  return dialect.db.transaction().execute(async (trx) => {
    const held = await trx.selectFrom("event").select("stream").limit(1).executeTakeFirst()
    if (held)
      throw new BackupRefused(
        `the store ${dialect.name} already holds ${held.stream}: a backup goes into an empty store only. Name another one; nothing was changed.`,
      )
    const rows = await insertAll(trx, lines)
    const damage = await checkStreams({ db: trx, check: () => undefined }, { sinceSnapshots: false })
    if (damage) throw new BackupRefused(`the backup is damaged: ${damage.because}. Nothing was changed.`)
    await raiseEpochs(trx, dialect, now)
    return rows
  })
}

async function insertAll(trx: Transaction<Tables>, lines: AsyncIterable<string>): Promise<number> {
  const sum = createHash("sha256")
  let count = 0
  let ended = false
  for await (const text of lines) {
    if (ended) throw new BackupRefused("the backup goes on after its last line. Nothing was changed.")
    const value = parsed(text, count + 1)
    if ("sha256" in value) {
      if (value.lines !== count || value.sha256 !== sum.digest("hex"))
        throw new BackupRefused(
          "the backup was changed: its sum is not that of its lines. Nothing was changed.",
        )
      ended = true
      continue
    }
    sum.update(`${text}\n`)
    count++
    if (count === 1) checkHeader(value)
    else await insert(trx, value, count)
  }
  if (!ended)
    throw new BackupRefused(
      `the backup ends after ${count} lines, without its last one. Nothing was changed.`,
    )
  return count - 1
}

function parsed(text: string, line: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>
  } catch {
    // Told below.
  }
  throw new BackupRefused(`line ${line} of the backup is not JSON. Nothing was changed.`)
}

function checkHeader(header: Record<string, unknown>): void {
  if (header.format !== format)
    throw new BackupRefused("this is not a backup of Immunity. Nothing was changed.")
  if (header.schema !== schemaVersion)
    throw new BackupRefused(
      `the backup has schema ${header.schema} and this version restores ${schemaVersion}: restore it with the version that wrote it, then update. Nothing was changed.`,
    )
}

async function insert(trx: Transaction<Tables>, value: Record<string, unknown>, line: number): Promise<void> {
  const { table, row } = value
  if (typeof table !== "string" || !(table in kept) || typeof row !== "object" || row === null)
    throw new BackupRefused(`line ${line} of the backup belongs to no table. Nothing was changed.`)
  const { columns } = kept[table as Kept]
  const wanted = Object.fromEntries(
    columns.map((column) => [column, (row as Record<string, unknown>)[column]]),
  )
  // Whoever held a lease is not the one who goes on.
  const complete = table === "lease" ? { ...wanted, owner: null } : wanted
  await trx
    .insertInto(table as "policy")
    .values(complete as unknown as Tables["policy"])
    .execute()
}
