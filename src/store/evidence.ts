import { createHash } from "node:crypto"
import type { Instant } from "../core/model/time.ts"
import type { Clock } from "../ports/clock.ts"
import type { Evidence, Interval } from "../ports/evidence.ts"
import { canonicalJson } from "./canonical-json.ts"
import type { Dialect } from "./dialect.ts"

export type SqlEvidence = Evidence & {
  /** Forgets the intervals that ended before a moment; how many. Bundles that decisions rest on are kept. */
  pruneIntervals(before: Instant): Promise<number>
}

export function sqlEvidence({ db }: Dialect, clock: Clock): SqlEvidence {
  return {
    // An interval is named by its place: adding it twice, after an unknown outcome, does not count it twice.
    async addInterval(app, rollout, { stage, step, from, to, judged, measurements }) {
      await db
        .insertInto("interval")
        .values({
          app,
          rollout,
          stage,
          step,
          from_at: from,
          to_at: to,
          judged: judged ? 1 : 0,
          measurements: canonicalJson(measurements),
        })
        .onConflict((conflict) => conflict.doNothing())
        .execute()
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

    async put(bundle) {
      const body = canonicalJson(bundle)
      const hash = createHash("sha256").update(body).digest("hex")
      await db
        .insertInto("evidence")
        .values({ hash, body, at: clock.now() })
        .onConflict((conflict) => conflict.doNothing())
        .execute()
      return hash
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
