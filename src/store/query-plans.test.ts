import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { presenceOf } from "../ports/leases.ts"
import { served } from "../testing/core-stories.ts"
import { openStore } from "./store.ts"

const clock = { now: () => 1_700_000_000_000, mono: () => 0, sleep: async () => {} }

/** Tables that grow with time. Of lease there is a row for each application, order holds ten minutes. */
const growing = ["event", "command", "outbox", "interval", "evidence", "snapshot"]

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "immunity-plans-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Everything that the product asks a store while it works. */
async function askEverything(path: string): Promise<void> {
  const open = () => openStore({ path, clock, foldCode: "one" })
  const made = await open()
  const { state, events } = served()
  for (const stream of ["papi", "web"]) {
    const { journal, leases, snapshots } = made
    const presence = await leases.acquire(presenceOf("one"), "one", 8_000)
    const [lease] = await leases.take([`app/${stream}`], "one")
    const command = { id: `c-${stream}`, result: 1 }
    const to = { to: "https://hooks.example/x", type: "rollback", text: "papi", data: {} } as const
    const outbox = [{ ...to, id: "n", at: 1, app: stream }]
    const write = { stream, expected: 0, epoch: lease?.epoch ?? 0, events, outbox, command }
    const outcome = await journal.append(write)
    const last = outcome.kind === "appended" ? outcome.stored.at(-1) : undefined
    await snapshots.keep([{ stream, version: last?.version ?? 0, hash: last?.hash ?? "", state }])
    if (presence) await leases.renew(presence, "one", 8_000)
  }
  await made.close()
  const store = await open()
  const { journal, leases, snapshots, evidence, policies, orders } = store
  await journal.end()
  const streams = await journal.streams()
  expect(streams).toEqual(["papi", "web"])
  await journal.tails(await snapshots.read(streams))
  await journal.read("papi", 3)
  await journal.feed(3, 10)
  await journal.feed(3, 10, "papi")
  await journal.commandResult("c-papi")
  for (const row of await journal.outbox(1, 10)) await journal.outboxFailed(row.id, "503", 5)
  await journal.outboxDone(1)
  const [lease] = await leases.take(["app/papi"], "one")
  const by = { app: "papi", epoch: lease?.epoch ?? 0 }
  const interval = { stage: "shifting", step: 0, from: 0, to: 5, judged: true, measurements: [] } as const
  await evidence.addInterval(by, 7, interval)
  await evidence.intervals("papi", 7)
  await evidence.intervals("papi", 7, "shifting")
  const kept = await evidence.put(by, { verdicts: [] })
  await evidence.get(kept === "fenced" ? "" : kept.hash)
  await policies.set("papi", "version: 1")
  await policies.get("papi")
  await orders.waiting(10)
  await store.health()
  await store.pruneIntervals(1)
  await store.audit(async () => {})
  await store.close()
}

describe("what is asked of a store all the time", () => {
  it("never reads a whole table that grows with time", async () => {
    const asked = new Set<string>()
    const { prepare } = DatabaseSync.prototype
    const spy = vi.spyOn(DatabaseSync.prototype, "prepare").mockImplementation(function (
      this: DatabaseSync,
      sql: string,
    ) {
      asked.add(sql)
      return prepare.call(this, sql)
    })
    const path = join(folder, "immunity.db")
    await askEverything(path)
    spy.mockRestore()
    // The lock of the only writer is a file of its own.
    const questions = [...asked].filter(
      (sql) => /^\s*(select|insert|update|delete|with)\b/i.test(sql) && !/\bholder\b/.test(sql),
    )
    expect(questions.length).toBeGreaterThan(30)
    const file = new DatabaseSync(path)
    const scans = questions.flatMap((sql) => {
      const steps = file.prepare(`explain query plan ${sql}`).all()
      return steps.flatMap(({ detail }) => (isScan(String(detail), sql) ? [`${detail}: ${sql}`] : []))
    })
    file.close()
    expect(scans).toEqual([])
  })
})

/** Following an index for a few rows is no scan, when the question says how many. */
function isScan(step: string, sql: string): boolean {
  const table = /^SCAN (\w+)/.exec(step)?.[1]
  if (table === undefined || !growing.includes(table)) return false
  const isFirstOrLast = /order by "?\w+"?( desc)? limit/.test(sql) && !/ where /.test(sql)
  const isFirstOfStreams = /select stream from event order by stream limit 1/.test(sql)
  return !(isFirstOrLast || isFirstOfStreams)
}
