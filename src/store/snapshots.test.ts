import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Application } from "../core/pipeline/application.ts"
import type { Recorded } from "../core/pipeline/events.ts"
import { evolve } from "../core/pipeline/evolve.ts"
import { nothing } from "../core/pipeline/nothing.ts"
import type { StoredEvent } from "../ports/journal.ts"
import { play, story } from "../testing/core-acts.ts"
import { served } from "../testing/core-stories.ts"
import { StoreDamaged } from "./errors.ts"
import { openStore, type Store } from "./store.ts"

const clock = { now: () => 1_700_000_000_000, mono: () => 0, sleep: async () => {} }

async function stored(store: Store, stream: string, events: readonly Recorded[]) {
  const lease = await store.leases.acquire(`app/${stream}`, "one", 8_000)
  const outcome = await store.journal.append({
    stream,
    expected: 0,
    epoch: lease?.epoch ?? 0,
    events,
    outbox: [],
  })
  if (outcome.kind !== "appended") throw new Error(outcome.kind)
  return store.journal.read(stream, 0)
}
const fold = (events: readonly Recorded[], from: Application = nothing("papi")): Application =>
  events.reduce(evolve, from)
const snapshotAt = (events: readonly StoredEvent[], version: number) => ({
  stream: events[0]?.stream ?? "",
  version,
  hash: events[version - 1]?.hash ?? "",
  state: fold(events.slice(0, version), nothing(events[0]?.stream ?? "")),
})

/** Every bit of it: what is undefined, and in which order things stand, included. */
const spelled = (value: unknown): string =>
  JSON.stringify(value, (_, field: unknown) => (field === undefined ? "\0undefined" : field))

it("a snapshot and what follows it fold into the same state as all events, wherever it was taken", async () => {
  await fc.assert(
    fc.asyncProperty(story, fc.nat(), async (acted, at) => {
      const store = await openStore({ path: ":memory:", clock, foldCode: "one" })
      const events = await stored(store, "papi", play(acted).events)
      await store.snapshots.keep([snapshotAt(events, 1 + (at % events.length))])
      const [snapshot] = await store.snapshots.read(["papi"])
      if (!snapshot) throw new Error("there is no snapshot")
      const tail = await store.journal.tails([snapshot])
      expect(tail).toHaveLength(events.length - snapshot.version)
      expect(spelled(fold(tail, snapshot.state))).toBe(spelled(fold(events)))
      await store.close()
    }),
    { numRuns: 25 },
  )
})

describe("a snapshot that cannot be trusted", () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "immunity-snapshots-"))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))
  const open = (foldCode: string, readOnly = false) =>
    openStore({ path: join(folder, "immunity.db"), clock, foldCode, readOnly })
  const tamper = (sql: string): void => {
    const file = new DatabaseSync(join(folder, "immunity.db"))
    file.exec(sql)
    file.close()
  }
  const readAfter = async (sql: string, foldCode = "one") => {
    tamper(sql)
    const store = await open(foldCode)
    const found = await store.snapshots.read(["papi", "web"])
    await store.close()
    return found.map(({ stream, version }) => `${stream} ${version}`)
  }

  it("is left out: of other code, changed, cut, or standing on an event that is another by now", async () => {
    const store = await open("one")
    const { events } = served()
    const kept = await Promise.all(["papi", "web"].map((stream) => stored(store, stream, events)))
    await store.snapshots.keep(kept.map((own) => snapshotAt(own, 20)))
    await store.close()
    expect(await readAfter("select 1")).toEqual(["papi 20", "web 20"])
    expect(await readAfter("select 1", "two")).toEqual([])
    expect(await readAfter("update snapshot set body = 'x' || body where stream = 'papi'")).toEqual([
      "web 20",
    ])
    const cut = await readAfter("update snapshot set body = substr(body, 1, 99) where stream = 'papi'")
    expect(cut).toEqual(["web 20"])
    expect(await readAfter("update snapshot set version = 19 where stream = 'web'")).toEqual([])
  })

  it("marks how far the chain was checked: what is before it is found by the audit, and by whoever only reads", async () => {
    const store = await open("one")
    const { events } = served()
    await store.snapshots.keep([snapshotAt(await stored(store, "papi", events), 20)])
    await store.close()
    tamper("update event set because = 'another' where version = 5")
    const writer = await open("one")
    await expect(writer.audit(async () => {})).rejects.toThrow(/version 5 of papi/)
    await writer.close()
    const reader = await open("one", true)
    expect((await reader.health()).damage).toMatchObject({ stream: "papi", version: 5 })
    await reader.close()
    tamper("update event set because = 'another' where version = 21")
    await expect(open("one")).rejects.toThrow(StoreDamaged)
    // Without the event that it stands on it vouches for nothing.
    tamper("update event set because = 'another' where version = 20")
    tamper("update snapshot set hash = 'another'")
    await expect(open("one")).rejects.toThrow(/version 5 of papi/)
  })
})
