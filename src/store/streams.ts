import { type Kysely, sql } from "kysely"
import type { Tables } from "./tables.ts"

/** The names of all streams, in order: from each one straight to the next, past all their events. */
export async function streamsIn(db: Kysely<Tables>): Promise<readonly string[]> {
  const { rows } = await sql<{ readonly stream: string }>`
    with recursive name(stream) as (
      select * from (select stream from event order by stream limit 1) as first
      union all
      select (select event.stream from event where event.stream > name.stream order by event.stream limit 1)
      from name where name.stream is not null
    )
    select stream from name where stream is not null order by stream`.execute(db)
  return rows.map(({ stream }) => stream)
}
