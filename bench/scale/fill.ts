import { DatabaseSync } from "node:sqlite"
import pg from "pg"
import type { Clock } from "../../src/ports/clock.ts"
import { openSharedStore, openStore } from "../../src/store/store.ts"
import { nameOf, type Row, rowsOf, type Template } from "./history.ts"

/** Where a control plane keeps its store. */
export type Database =
  | { readonly kind: "sqlite"; readonly path: string }
  | { readonly kind: "postgres"; readonly url: string }

const columns = ["stream", "version", "kind", "at", "by", "because", "body", "prev_hash", "hash"] as const
const together = 5_000

/** Makes the tables by the product itself, then writes the history of so many applications. How many events. */
export async function fill(
  database: Database,
  template: Template,
  apps: number,
  clock: Clock,
): Promise<number> {
  const store =
    database.kind === "sqlite"
      ? await openStore({ path: database.path, clock })
      : await openSharedStore({ url: database.url, clock })
  await store.close()
  const write = database.kind === "sqlite" ? inSqlite(database.path) : await inPostgres(database.url)
  let rows: Row[] = []
  let events = 0
  for (let number = 0; number < apps; number++) {
    rows.push(...rowsOf(template, nameOf(number)))
    if (rows.length < together && number + 1 < apps) continue
    await write.rows(rows)
    events += rows.length
    rows = []
  }
  await write.end()
  return events
}

type Writer = { readonly rows: (rows: readonly Row[]) => Promise<void>; readonly end: () => Promise<void> }

function inSqlite(path: string): Writer {
  const file = new DatabaseSync(path)
  const insert = file.prepare(
    `insert into event (${columns.map((name) => `"${name}"`)}, epoch) values (${columns.map(() => "?")}, 1)`,
  )
  return {
    async rows(rows) {
      file.exec("begin")
      for (const row of rows) insert.run(...columns.map((name) => row[name]))
      file.exec("commit")
    },
    async end() {
      file.exec("pragma wal_checkpoint(truncate)")
      file.close()
    },
  }
}

async function inPostgres(url: string): Promise<Writer> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const types = { version: "bigint", at: "bigint" } as Readonly<Record<string, string>>
  const arrays = columns.map((name, i) => `$${i + 1}::${types[name] ?? "text"}[]`)
  const names = columns.map((name) => `"${name}"`)
  return {
    async rows(rows) {
      await client.query(
        `insert into event (${names}, epoch) select ${names}, 1 from unnest(${arrays}) as t(${names})`,
        columns.map((name) => rows.map((row) => row[name])),
      )
    },
    async end() {
      await client.query("vacuum analyze event")
      await client.end()
    },
  }
}
