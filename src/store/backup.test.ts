import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Clock } from "../ports/clock.ts"
import type { Leases } from "../ports/leases.ts"
import { BackupRefused } from "./backup.ts"
import { openStore, type Store } from "./store.ts"

let later = 0
const clock: Clock = { now: () => 1_700_000_000_000 + later, mono: () => 0, sleep: async () => {} }

let folder: string
const opened: Store[] = []
const open = async (name: string, readOnly = false): Promise<Store> => {
  const store = await openStore({ path: join(folder, name), clock, readOnly })
  opened.push(store)
  return store
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "immunity-backup-"))
})
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
  rmSync(folder, { recursive: true, force: true })
})

const aBlock = 2 ** 40
const epochOf = async ({ leases }: { leases: Leases }, app: string, owner = "one"): Promise<number> =>
  (await leases.acquire(`app/${app}`, owner, 8_000))?.epoch ?? 0

/** Something in every table, and more events than fit in one page. */
async function filled(): Promise<Store> {
  const store = await open("one.db")
  const lease = await store.leases.acquire("app/papi", "one", 8_000)
  const events = Array.from({ length: 600 }, (_, i) => ({
    at: i,
    by: "eva",
    because: `reason ${i}`,
    event: { type: "app-paused" as const, reason: `reason ${i}` },
  }))
  const notice = { to: "https://a.example", id: "n", at: 1, app: "papi", type: "lock", text: "t", data: {} }
  await store.journal.append({
    stream: "papi",
    expected: 0,
    epoch: lease?.epoch ?? 0,
    events,
    command: { id: "c-1", result: { version: 600 } },
    outbox: [notice],
  })
  await store.policies.set("papi", "lock: { on: [rollback] }")
  const by = { app: "papi", epoch: lease?.epoch ?? 0 }
  await store.evidence.put(by, { some: "evidence" })
  await store.evidence.addInterval(by, 1, {
    stage: "shifting",
    step: 0,
    from: 1,
    to: 2,
    judged: true,
    measurements: [],
  })
  return store
}

async function linesOf(store: Store): Promise<string[]> {
  const lines: string[] = []
  for await (const line of store.backup()) lines.push(line.slice(0, -1))
  return lines
}

async function* each(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines
}

describe("a backup", () => {
  it("brings everything back: journal, answers to commands, evidence, policies, notices; epochs go on rising", async () => {
    const store = await filled()
    const copy = await open("two.db")
    expect(await copy.restore(each(await linesOf(store)))).toBe(600 + 1 + 1 + 1 + 1 + 1 + 1)
    const strip = (events: Awaited<ReturnType<Store["journal"]["read"]>>) =>
      events.map(({ sequence: _, ...event }) => event)
    expect(strip(await copy.journal.read("papi", 0))).toEqual(strip(await store.journal.read("papi", 0)))
    expect(await copy.journal.commandResult("c-1")).toEqual({ version: 600 })
    expect(await copy.policies.get("papi")).toBe("lock: { on: [rollback] }")
    expect(await copy.journal.outbox(2e12, 10)).toHaveLength(1)
    expect(await copy.evidence.intervals("papi", 1)).toHaveLength(1)
    expect((await copy.leases.acquire("app/papi", "two", 8_000))?.epoch).toBeGreaterThan(2)
    expect((await linesOf(copy)).slice(1, -1)).toHaveLength(606)
  })

  it("is made beside a running writer, and shows one moment", async () => {
    const writer = await filled()
    const reader = await open("one.db", true)
    const backup = reader.backup()[Symbol.asyncIterator]()
    await backup.next()
    await writer.policies.set("web", "x")
    const rest: string[] = []
    for (let next = await backup.next(); !next.done; next = await backup.next()) rest.push(next.value)
    expect(rest.some((line) => line.includes('"web"'))).toBe(false)
  })

  it("that is cut, changed or no backup changes nothing", async () => {
    const lines = await linesOf(await filled())
    const edited = lines.map((line) => line.replace("reason 7", "reason 8"))
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [lines.slice(0, 50), /ends after 50 lines/],
      [edited, /its sum is not that of its lines/],
      [[...lines, "{}"], /goes on after its last line/],
      [["hello"], /line 1 of the backup is not JSON/],
      [['{"format":"other"}'], /not a backup of Immunity/],
      [[lines[0]?.replace(/"schema":\d+/, '"schema":99') ?? ""], /has schema 99/],
    ]
    const copy = await open("two.db")
    for (const [given, says] of cases) {
      await expect(copy.restore(each(given))).rejects.toThrow(says)
      await expect(copy.restore(each(given))).rejects.toThrow(BackupRefused)
      expect(await copy.journal.streams()).toEqual([])
    }
  })

  it("with a journal that somebody forged, sum and all, is refused by the chain", async () => {
    const lines = (await linesOf(await filled()))
      .slice(0, -1)
      .map((line) => line.replace("reason 7", "reason 8"))
    const forged = await summed(lines)
    const copy = await open("two.db")
    await expect(copy.restore(each(forged))).rejects.toThrow(/the backup is damaged/)
    expect(await copy.journal.streams()).toEqual([])
  })

  it("goes into an empty store only", async () => {
    const store = await filled()
    await expect(store.restore(each(await linesOf(store)))).rejects.toThrow(/already holds papi/)
  })

  it("is older than what servers may have obeyed: all epochs after it are above those that were given out meanwhile", async () => {
    const store = await filled()
    const lines = await linesOf(store)
    for (let i = 0; i < 50; i++) await epochOf(store, "papi")
    await store.leases.take(["app/later"], "one")
    const copy = await open("two.db")
    await copy.restore(each(lines))
    const [papi, later] = [await epochOf(copy, "papi"), await epochOf(copy, "later")]
    expect(Math.min(papi, later)).toBeGreaterThan(10 * aBlock)
    expect(await epochOf(copy, "papi")).toBe(papi + 1)
    expect(await copy.leases.take(["app/new", "app/papi"], "one")).toEqual([
      { key: "app/new", epoch: later },
      { key: "app/papi", epoch: papi + 2 },
    ])
    expect(Number.isSafeInteger(papi)).toBe(true)
    // Once more, from a store that was restored itself: above again.
    const third = await open("three.db")
    await third.restore(each(await linesOf(copy)))
    expect(await epochOf(third, "papi")).toBeGreaterThan(papi + 10 * aBlock)
  })

  it("that is restored twice gives the later store epochs above those of the earlier one", async () => {
    const lines = await linesOf(await filled())
    const first = await open("two.db")
    await first.restore(each(lines))
    let given = 0
    for (let i = 0; i < 100; i++) given = await epochOf(first, "papi")
    later += 60_000
    const second = await open("three.db")
    await second.restore(each(lines))
    expect(await epochOf(second, "papi")).toBeGreaterThan(given)
  })

  it("of a store that went through too many timelines is refused, as long as what it gives out can be counted", async () => {
    const lines = (await linesOf(await filled())).slice(0, -1)
    const last = lines.map((line) =>
      line.replace('"epoch":1,"expires_at"', '"epoch":9007199254740000,"expires_at"'),
    )
    const copy = await open("two.db")
    await expect(copy.restore(each(await summed(last)))).rejects.toThrow(/has no epochs left/)
    expect(await copy.journal.streams()).toEqual([])
  })
})

/** A backup of these lines that is whole, whoever wrote them. */
async function summed(lines: readonly string[]): Promise<readonly string[]> {
  const { createHash } = await import("node:crypto")
  const sha256 = createHash("sha256")
    .update(lines.map((line) => `${line}\n`).join(""))
    .digest("hex")
  return [...lines, JSON.stringify({ lines: lines.length, sha256 })]
}
