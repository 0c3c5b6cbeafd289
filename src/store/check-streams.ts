import { type ExpressionBuilder, type Kysely, sql } from "kysely"
import { chainStart, checkLink } from "./chain.ts"
import type { Dialect } from "./dialect.ts"
import type { Damage } from "./errors.ts"
import { standing } from "./snapshots.ts"
import { streamsIn } from "./streams.ts"
import type { Tables } from "./tables.ts"

const page = 1_000
/** Streams that one question is about. */
const together = 200

/** A place in a stream up to which it was checked before. */
type Mark = { readonly version: number; readonly epoch: number; readonly hash: string }
type Pause = () => Promise<void>
const beginning: Mark = { version: 0, epoch: 0, hash: chainStart }

/**
 * Follows the chain of each stream, from its first event, or with `sinceSnapshots` from the event that its snapshot
 * stands on: whoever took it had checked what is before. The first damage, or undefined. Waits for `pause` after each
 * page of events.
 */
export async function checkStreams(
  { db, check }: Pick<Dialect, "db" | "check">,
  { sinceSnapshots, pause = async () => {} }: { readonly sinceSnapshots: boolean; readonly pause?: Pause },
): Promise<Damage | undefined> {
  const seen = check()
  if (seen) return seen
  const streams = await streamsIn(db)
  for (let from = 0; from < streams.length; from += together) {
    const some = streams.slice(from, from + together)
    const marks = sinceSnapshots ? await snapshotMarks(db, some) : new Map<string, Mark>()
    const damage = await checkSome(db, some, marks, pause)
    if (damage) return damage
  }
  return undefined
}

/** These streams, in the order of the database. */
async function checkSome(
  db: Kysely<Tables>,
  streams: readonly string[],
  marks: ReadonlyMap<string, Mark>,
  pause: Pause,
): Promise<Damage | undefined> {
  for (let at: Place = { stream: "", mark: beginning }; ; ) {
    const checked = await checkPage(db, streams, marks, at)
    if ("because" in checked) return checked
    await pause()
    if (checked.isLast) return undefined
    at = checked.at
  }
}

type Place = { readonly stream: string; readonly mark: Mark }
type Page = { readonly at: Place; readonly isLast: boolean }

/** One page after a place. Apart from the loop, so that nobody holds its rows while there is a pause. */
async function checkPage(
  db: Kysely<Tables>,
  streams: readonly string[],
  marks: ReadonlyMap<string, Mark>,
  at: Place,
): Promise<Page | Damage> {
  const [first = "", last = first] = [streams[0], streams.at(-1)]
  let { stream, mark } = at
  const waiting = streams.slice(streams.indexOf(stream) + 1)
  const rows = await db
    .selectFrom("event")
    .select(["stream", "version", "epoch", "at", "by", "because", "body", "prev_hash", "hash"])
    .where((eb) =>
      marks.size > 0 ? afterMarks(eb, marks, stream, mark, waiting) : after(stream || first, mark),
    )
    .where("stream", "<=", last)
    .orderBy("stream")
    .orderBy("version")
    .limit(page)
    .execute()
  for (const row of rows) {
    if (row.stream !== stream) {
      stream = row.stream
      mark = marks.get(stream) ?? beginning
    }
    const expected = { stream, version: mark.version + 1, previous: mark.hash }
    const damage = checkLink({ ...row, previous: row.prev_hash }, expected)
    if (damage) return damage
    const { version, epoch, hash } = row
    if (epoch < mark.epoch)
      return { stream, version, because: `its epoch ${epoch} is older than the ${mark.epoch} before it` }
    mark = { version, epoch, hash }
  }
  return { at: { stream, mark }, isLast: rows.length < page }
}

/** One range of the index, so that a page costs its own rows and not those of all streams that wait. */
const after = (stream: string, { version }: Mark) => sql<boolean>`(stream, version) > (${stream}, ${version})`

const afterMarks = (
  eb: ExpressionBuilder<Tables, "event">,
  marks: ReadonlyMap<string, Mark>,
  stream: string,
  mark: Mark,
  waiting: readonly string[],
) =>
  eb.or([
    eb.and([eb("stream", "=", stream), eb("version", ">", mark.version)]),
    ...waiting.map((name) =>
      eb.and([eb("stream", "=", name), eb("version", ">", marks.get(name)?.version ?? 0)]),
    ),
  ])

async function snapshotMarks(
  db: Kysely<Tables>,
  streams: readonly string[],
): Promise<ReadonlyMap<string, Mark>> {
  const rows = await standing(db)
    .select(["event.stream", "event.version", "event.epoch", "event.hash"])
    .where("snapshot.stream", "in", streams)
    .execute()
  return new Map(rows.map(({ stream, ...mark }) => [stream, mark]))
}
