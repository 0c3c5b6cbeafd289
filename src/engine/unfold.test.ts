import { expect, it } from "vitest"
import type { StoredEvent } from "../ports/journal.ts"
import type { Snapshot, Snapshots } from "../ports/snapshots.ts"
import { served } from "../testing/core-stories.ts"
import { SnapshotKeeper } from "./keep-snapshots.ts"
import { Ledger } from "./ledger.ts"
import { defaultPace } from "./parts.ts"
import { RollbackBudget } from "./rollback-budget.ts"
import { Shelf } from "./shelf.ts"
import { unfold } from "./unfold.ts"

const { events } = served()
const stored = (stream: string): readonly StoredEvent[] =>
  events.map((event, i) => ({
    ...event,
    stream,
    version: i + 1,
    sequence: i + 1,
    hash: `${stream} ${i + 1}`,
  }))
const streams = ["papi", "web"]

/** A journal of two streams that tells how many events were read of it. */
function world() {
  let read = 0
  const counted = (found: readonly StoredEvent[]) => {
    read += found.length
    return found
  }
  const kept = new Map<string, Snapshot>()
  const snapshots: Snapshots = {
    keep: async (some) => {
      for (const one of some) kept.set(one.stream, one)
    },
    read: async (names) => names.flatMap((name) => kept.get(name) ?? []),
  }
  const unused = () => Promise.reject(new Error("nobody should ask"))
  const journal = {
    ...{ append: unused, feed: unused, commandResult: unused },
    ...{ outbox: unused, outboxDone: unused, outboxFailed: unused },
    streams: async () => streams,
    end: async () => 2 * events.length,
    read: async (stream: string, after: number) => counted(stored(stream).slice(after)),
    tails: async (places: readonly { stream: string; version: number }[]) =>
      counted(places.flatMap(({ stream, version }) => stored(stream).slice(version))),
  }
  const asleep: (() => void)[] = []
  const clock = {
    now: () => 0,
    mono: () => 0,
    sleep: () => new Promise<void>((resolve) => asleep.push(resolve)),
  }
  const log = { info: () => {}, warn: () => {}, error: () => {} }
  const parts = { journal, snapshots, clock, log, pace: defaultPace }
  return { parts, kept, asleep, read: () => read }
}

async function begin(parts: ReturnType<typeof world>["parts"]) {
  const keeper = new SnapshotKeeper(parts)
  const shelf = new Shelf(1)
  const ledgers = new Map<string, Ledger>()
  const open = (app: string) => {
    const known = ledgers.get(app)
    const limits = { ...parts, room: () => undefined, killed: () => false }
    const ledger: Ledger =
      known ??
      new Ledger(
        app,
        limits,
        new RollbackBudget(),
        { heard: (news) => keeper.heard(ledger, news), fenced: () => {} },
        shelf,
      )
    ledgers.set(app, ledger)
    return {
      restore: (snapshot: Snapshot) => {
        ledger.restore(snapshot)
        keeper.restored(ledger)
      },
      take: (event: StoredEvent) => ledger.take([event]),
    }
  }
  const end = await unfold(parts, open)
  return { keeper, ledgers, end }
}

it("folds everything once, keeps what ended, and folds only what came after it from then on", async () => {
  const { parts, kept, asleep, read } = world()
  const first = await begin(parts)
  expect([read(), first.end]).toEqual([2 * events.length, 2 * events.length])
  const ending = new AbortController()
  const keeping = first.keeper.keep(ending.signal)
  ending.abort()
  for (const wake of asleep.splice(0)) wake()
  await keeping
  expect([...kept.keys()]).toEqual(streams)

  const web = kept.get("web")
  const ledger = first.ledgers.get("web")
  expect(web).toMatchObject({ version: events.length, hash: ledger?.hash, state: ledger?.state })
  kept.delete("papi")
  const again = await begin(parts)
  expect(read() - 2 * events.length).toBe(events.length)
  for (const app of streams) expect(again.ledgers.get(app)?.state).toEqual(first.ledgers.get(app)?.state)
  expect(again.ledgers.get("web")).toMatchObject({ version: events.length, hash: ledger?.hash })
})
