import type { Clock } from "../ports/clock.ts"
import type { Policies } from "../ports/policies.ts"
import type { Dialect } from "./dialect.ts"

export function sqlPolicies({ db }: Dialect, clock: Clock): Policies {
  return {
    async get(app) {
      const row = await db.selectFrom("policy").select("yaml").where("app", "=", app).executeTakeFirst()
      return row?.yaml
    },
    async set(app, yaml) {
      const at = clock.now()
      await db
        .insertInto("policy")
        .values({ app, yaml, at })
        .onConflict((conflict) => conflict.column("app").doUpdateSet({ yaml, at }))
        .execute()
    },
  }
}
