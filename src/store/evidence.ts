import { createHash } from "node:crypto"
import { sql } from "kysely"
import { canonicalJson } from "../core/model/canonical-json.ts"
import type { Instant } from "../core/model/time.ts"
import type { Clock } from "../ports/clock.ts"
import type { Evidence, Interval } from "../ports/evidence.ts"
import type { Dialect } from "./dialect.ts"
import { heldLease } from "./held-lease.ts"

export type SqlEvidence = Evidence & {
  /** Forgets the intervals that ended before a moment; how many. Bundles that decisions rest on are kept. */
  pruneIntervals(before: Instant): Promise<number>
}

export function sqlEvidence({ db, locksRows }: Dialect, clock: Clock): SqlEvidence {
  return {
    // An interval is named by its place: adding it twice, after an unknown outcome, does not count it twice.
    async addInterval(by, rollout, { stage, step, from, to, judged, measurements }) {
      const row = [by.app, rollout, stage, step, from, to, judged ? 1 : 0, canonicalJson(measurements)]
      const written = await db
        .insertInto("interval")
        .columns(["app", "rollout", "stage", "step", "from_at", "to_at", "judged", "measurements"])
        .expression(heldLease(db, by, locksRows).clearSelect().select(row.map(asColumn)))
        // Written once more as it is, so that a row that was there already is no row that was refused.
        .onConflict((conflict) =>
          conflict
            .columns(["app", "rollout", "stage", "step", "from_at", "to_at"])
            .doUpdateSet((eb) => ({ app: eb.ref("excluded.app") })),
        )
        .returning("app")
        .execute()
      return written.length > 0 ? "kept" : "fenced"
    },

    async intervals(app, rollout, stage) {
      let query = db.selectFrom("interval").selectAll().where("app", "=", app).where("rollout", "=", rollout)
      if (stage !== undefined) query = query.where("stage", "=", stage)
      const rows = await query.orderBy("id").execute()
      return rows.map((row) => ({
        stage: row.stage as Interval["stage"],
        step: row.step,
        from: row.from_at,
        to: row.to_at,
        judged: row.judged === 1,
        measurements: JSON.parse(row.measurements) as Interval["measurements"],
      }))
    },

    async put(by, bundle) {
      const body = canonicalJson(bundle)
      const hash = createHash("sha256").update(body).digest("hex")
      const written = await db
        .insertInto("evidence")
        .columns(["hash", "body", "at"])
        .expression(
          heldLease(db, by, locksRows).clearSelect().select([hash, body, clock.now()].map(asColumn)),
        )
        .onConflict((conflict) =>
          conflict.column("hash").doUpdateSet((eb) => ({ hash: eb.ref("excluded.hash") })),
        )
        .returning("hash")
        .execute()
      return written.length > 0 ? { hash } : "fenced"
    },

    async get(hash) {
      const row = await db.selectFrom("evidence").select("body").where("hash", "=", hash).executeTakeFirst()
      return row === undefined ? undefined : JSON.parse(row.body)
    },

    async pruneIntervals(before) {
      const result = await db.deleteFrom("interval").where("to_at", "<", before).executeTakeFirst()
      return Number(result.numDeletedRows)
    },
  }
}

/** A value as a column of the row that is selected once, if the writer holds the lease. */
const asColumn = (value: string | number, place: number) => sql<string | number>`${value}`.as(`c${place}`)
