import { createHash } from "node:crypto"
import type { Kysely } from "kysely"
import type { Application } from "../core/pipeline/application.ts"
import { pack, unpack } from "../ports/packed.ts"
import type { Snapshot, Snapshots } from "../ports/snapshots.ts"
import type { Dialect } from "./dialect.ts"
import type { Tables } from "./tables.ts"

type Row = Tables["snapshot"]

/** `code` names the code that folds, so that what other code folded is never believed. */
export function sqlSnapshots({ db }: Dialect, code: string): Snapshots {
  return {
    async keep(snapshots) {
      if (snapshots.length === 0) return
      await db
        .insertInto("snapshot")
        .values(snapshots.map((snapshot) => rowOf(snapshot, code)))
        .onConflict((conflict) =>
          conflict
            .column("stream")
            .doUpdateSet((eb) => ({
              version: eb.ref("excluded.version"),
              hash: eb.ref("excluded.hash"),
              code: eb.ref("excluded.code"),
              body: eb.ref("excluded.body"),
              sum: eb.ref("excluded.sum"),
            }))
            // Of two control planes the one that is behind changes nothing.
            .where((eb) =>
              eb.or([
                eb("snapshot.code", "<>", eb.ref("excluded.code")),
                eb("snapshot.version", "<=", eb.ref("excluded.version")),
              ]),
            ),
        )
        .execute()
    },

    async read(streams) {
      if (streams.length === 0) return []
      const rows = await standing(db)
        .selectAll("snapshot")
        .where("snapshot.stream", "in", streams)
        .where("snapshot.code", "=", code)
        .orderBy("snapshot.stream")
        .execute()
      return rows.flatMap((row) => snapshotOf(row) ?? [])
    },
  }
}

/** Snapshots of which the event that they stand on is still the one that it was, with that event. */
export const standing = (db: Kysely<Tables>) =>
  db
    .selectFrom("snapshot")
    .innerJoin("event", (join) =>
      join
        .onRef("event.stream", "=", "snapshot.stream")
        .onRef("event.version", "=", "snapshot.version")
        .onRef("event.hash", "=", "snapshot.hash"),
    )

function rowOf({ stream, version, hash, state }: Snapshot, code: string): Row {
  const body = Buffer.from(pack(state)).toString("base64")
  return { stream, version, hash, code, body, sum: sumOf({ stream, version, hash, code, body }) }
}

function snapshotOf(row: Row): Snapshot | undefined {
  if (sumOf(row) !== row.sum) return undefined
  const { stream, version, hash, body } = row
  try {
    // A copy of its own: a small buffer is a part of a block that many share, and would keep all of it.
    const packed = new Uint8Array(Buffer.from(body, "base64"))
    return { stream, version, hash, state: unpack(packed) as Application, packed }
  } catch {
    // Whole, but written by a runtime that this one does not understand.
    return undefined
  }
}

const sumOf = ({ stream, version, hash, code, body }: Omit<Row, "sum">): string =>
  createHash("sha256")
    .update(JSON.stringify([stream, version, hash, code]))
    .update(body)
    .digest("hex")
