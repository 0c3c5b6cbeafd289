import { DatabaseSync } from "node:sqlite"
import pg from "pg"
import type { Database } from "./fill.ts"

/** Reads from a store beside the control plane that has it open. */
export async function rowsIn<T extends object>(database: Database, query: string): Promise<readonly T[]> {
  if (database.kind === "sqlite") {
    const file = new DatabaseSync(database.path, { readOnly: true })
    const rows = file.prepare(query).all() as T[]
    file.close()
    return rows
  }
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const { rows } = await client.query<T>(query)
  await client.end()
  return rows
}
