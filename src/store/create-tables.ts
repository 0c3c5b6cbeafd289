import type { Kysely } from "kysely"
import type { Dialect } from "./dialect.ts"
import { schemaVersion, type Tables } from "./tables.ts"

/** Makes the tables of an empty database. */
export async function createTables(db: Kysely<Tables>, { types, rising }: Dialect): Promise<void> {
  const { text, whole } = types
  await db.schema
    .createTable("meta")
    .addColumn("key", text, (c) => c.primaryKey())
    .addColumn("value", text, (c) => c.notNull())
    .execute()
  await db.schema
    .createTable("event")
    .addColumn("sequence", whole, rising)
    .addColumn("stream", text, (c) => c.notNull())
    .addColumn("version", whole, (c) => c.notNull())
    .addColumn("epoch", whole, (c) => c.notNull())
    .addColumn("command_id", text)
    .addColumn("kind", text, (c) => c.notNull())
    .addColumn("at", whole, (c) => c.notNull())
    .addColumn("by", text, (c) => c.notNull())
    .addColumn("because", text, (c) => c.notNull())
    .addColumn("body", text, (c) => c.notNull())
    .addColumn("prev_hash", text, (c) => c.notNull())
    .addColumn("hash", text, (c) => c.notNull())
    .addUniqueConstraint("event_place", ["stream", "version"])
    .execute()
  await db.schema
    .createTable("command")
    .addColumn("id", text, (c) => c.primaryKey())
    .addColumn("stream", text, (c) => c.notNull())
    .addColumn("at", whole, (c) => c.notNull())
    .addColumn("result", text, (c) => c.notNull())
    .execute()
  await db.schema
    .createTable("lease")
    .addColumn("key", text, (c) => c.primaryKey())
    .addColumn("owner", text)
    .addColumn("epoch", whole, (c) => c.notNull())
    .addColumn("expires_at", whole, (c) => c.notNull())
    .execute()
  await db.schema
    .createTable("outbox")
    .addColumn("id", whole, rising)
    .addColumn("attempts", whole, (c) => c.notNull())
    .addColumn("due_at", whole)
    .addColumn("last_error", text)
    .addColumn("notice", text, (c) => c.notNull())
    .execute()
  await db.schema
    .createTable("interval")
    .addColumn("id", whole, rising)
    .addColumn("app", text, (c) => c.notNull())
    .addColumn("rollout", whole, (c) => c.notNull())
    .addColumn("stage", text, (c) => c.notNull())
    .addColumn("step", whole, (c) => c.notNull())
    .addColumn("from_at", whole, (c) => c.notNull())
    .addColumn("to_at", whole, (c) => c.notNull())
    .addColumn("judged", whole, (c) => c.notNull())
    .addColumn("measurements", text, (c) => c.notNull())
    .addUniqueConstraint("interval_place", ["app", "rollout", "stage", "step", "from_at", "to_at"])
    .execute()
  await db.schema.createIndex("interval_age").on("interval").column("to_at").execute()
  await db.schema
    .createTable("evidence")
    .addColumn("hash", text, (c) => c.primaryKey())
    .addColumn("body", text, (c) => c.notNull())
    .addColumn("at", whole, (c) => c.notNull())
    .execute()
  await db.schema
    .createTable("policy")
    .addColumn("app", text, (c) => c.primaryKey())
    .addColumn("yaml", text, (c) => c.notNull())
    .addColumn("at", whole, (c) => c.notNull())
    .execute()
  await createOrders(db, types)
  await createSnapshots(db, types)
  await createIndexes(db)
  await db
    .insertInto("meta")
    .values({ key: "schema", value: String(schemaVersion) })
    .execute()
}

/**
 * What brings the tables of an older version to the next one. Only ever adds: a control plane of the version before
 * must be able to go on beside this one.
 */
const steps: Readonly<Record<number, (db: Kysely<Tables>, dialect: Dialect) => Promise<void>>> = {
  1: (db, { types }) => createOrders(db, types),
  2: async (db, { types }) => {
    await createSnapshots(db, types)
    await createIndexes(db)
  },
}

/** Brings older tables up to date, one version after the other, in the transaction that is open. */
export async function migrateTables(db: Kysely<Tables>, dialect: Dialect, found: number): Promise<void> {
  for (let version = found; version < schemaVersion; version++) {
    const step = steps[version]
    if (!step) throw new Error(`there is no way from schema ${version} to ${version + 1}`)
    await step(db, dialect)
  }
  await db
    .updateTable("meta")
    .set({ value: String(schemaVersion) })
    .where("key", "=", "schema")
    .execute()
}

async function createOrders(db: Kysely<Tables>, { text, whole }: Dialect["types"]): Promise<void> {
  await db.schema
    .createTable("order")
    .addColumn("id", text, (c) => c.primaryKey())
    .addColumn("app", text, (c) => c.notNull())
    .addColumn("command", text, (c) => c.notNull())
    .addColumn("by", text, (c) => c.notNull())
    .addColumn("at", whole, (c) => c.notNull())
    .addColumn("answer", text)
    .execute()
}

async function createSnapshots(db: Kysely<Tables>, { text, whole }: Dialect["types"]): Promise<void> {
  await db.schema
    .createTable("snapshot")
    .addColumn("stream", text, (c) => c.primaryKey())
    .addColumn("version", whole, (c) => c.notNull())
    .addColumn("hash", text, (c) => c.notNull())
    .addColumn("code", text, (c) => c.notNull())
    .addColumn("body", text, (c) => c.notNull())
    .addColumn("sum", text, (c) => c.notNull())
    .execute()
}

/** For what is asked all the time of tables that grow for ever; src/store/query-plans.test.ts looks at every question. */
async function createIndexes(db: Kysely<Tables>): Promise<void> {
  await db.schema.createIndex("event_feed").on("event").columns(["stream", "sequence"]).execute()
  await db.schema.createIndex("outbox_due").on("outbox").column("due_at").execute()
}
