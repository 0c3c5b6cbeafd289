import { chainStart, checkLink } from "./chain.ts"
import type { Dialect } from "./dialect.ts"
import type { Damage } from "./errors.ts"

const page = 1_000

/** Reads every event once, in pages, and follows the chain of each stream. The first damage, or undefined. */
export async function checkStreams({ db, check }: Dialect): Promise<Damage | undefined> {
  const seen = check()
  if (seen) return seen
  let stream = ""
  let version = 0
  let epoch = 0
  let previous = chainStart
  for (;;) {
    const rows = await db
      .selectFrom("event")
      .selectAll()
      .where((eb) =>
        eb.or([eb("stream", ">", stream), eb.and([eb("stream", "=", stream), eb("version", ">", version)])]),
      )
      .orderBy("stream")
      .orderBy("version")
      .limit(page)
      .execute()
    for (const row of rows) {
      if (row.stream !== stream) {
        stream = row.stream
        version = 0
        epoch = 0
        previous = chainStart
      }
      const damage = checkLink(
        { ...row, previous: row.prev_hash },
        { stream, version: version + 1, previous },
      )
      if (damage) return damage
      version = row.version
      previous = row.hash
      if (row.epoch < epoch)
        return { stream, version, because: `its epoch ${row.epoch} is older than the ${epoch} before it` }
      epoch = row.epoch
    }
    if (rows.length < page) return undefined
  }
}
