import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Recorded } from "../core/pipeline/events.ts"
import type { Clock } from "../ports/clock.ts"
import type { Leases } from "../ports/leases.ts"
import { verifyChain } from "./chain.ts"
import { StoreDamaged, StoreInUse, StoreReadOnly, StoreTooNew } from "./errors.ts"
import { openStore, type Store } from "./store.ts"

const clock: Clock = { now: () => 1_700_000_000_000, mono: () => 0, sleep: async () => {} }
const event = (reason: string): Recorded => ({
  at: 1,
  by: "eva",
  because: reason,
  event: { type: "app-paused", reason },
})

let folder: string
let path: string
const opened: Store[] = []
const open = async (more: { readOnly?: boolean } = {}): Promise<Store> => {
  const store = await openStore({ path, clock, ...more })
  opened.push(store)
  return store
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "immunity-store-"))
  path = join(folder, "data", "immunity.db")
})
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
  rmSync(folder, { recursive: true, force: true })
})

const write = async (store: Store, streams: Record<string, number>): Promise<void> => {
  for (const [stream, count] of Object.entries(streams)) {
    const lease = await store.leases.acquire(`app/${stream}`, "one", 8_000)
    const at = (await store.journal.read(stream, 0)).length
    for (let i = 0; i < count; i++)
      await store.journal.append({
        stream,
        expected: at + i,
        epoch: lease?.epoch ?? 0,
        events: [event(`${stream} ${at + i + 1}`)],
        outbox: [],
      })
  }
}

/** Closes the store and changes its file behind its back. */
const tamper = async (store: Store, sql: string): Promise<void> => {
  await store.close()
  opened.splice(opened.indexOf(store), 1)
  const file = new DatabaseSync(path)
  file.exec(sql)
  file.close()
}

describe("opening a store", () => {
  it("makes the folder and the file for this user alone, and finds everything again", async () => {
    const first = await open()
    await write(first, { papi: 3 })
    await first.policies.set("papi", "gates: {}\n")
    await first.close()
    expect(statSync(path).mode & 0o077).toBe(0)
    const second = await open()
    expect((await second.journal.read("papi", 0)).map((e) => e.because)).toEqual([
      "papi 1",
      "papi 2",
      "papi 3",
    ])
    expect(await second.policies.get("papi")).toBe("gates: {}\n")
    expect(await second.policies.get("web")).toBeUndefined()
  })

  it("refuses a second writer, by any name of the file, and tells who the first is", async () => {
    await open()
    await expect(open()).rejects.toThrow(StoreInUse)
    await expect(open()).rejects.toThrow(`process ${process.pid}`)
    symlinkSync(path, join(folder, "other.db"))
    await expect(openStore({ path: join(folder, "other.db"), clock })).rejects.toThrow(StoreInUse)
  })

  it("leaves no file open that it refused", async () => {
    path = join(folder, "text.db")
    writeFileSync(path, "this is not a database, though it is long enough to be one ".repeat(40))
    for (let i = 0; i < 5; i++) await expect(open()).rejects.toThrow(StoreDamaged)
    if (!existsSync("/proc/self/fd")) return
    const held = readdirSync("/proc/self/fd").filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(path)
      } catch {
        return false
      }
    })
    expect(held).toEqual([])
  })

  it("reads beside a writer, and writes nothing", async () => {
    const writer = await open()
    await write(writer, { papi: 1 })
    const reader = await open({ readOnly: true })
    expect(await reader.journal.read("papi", 0)).toHaveLength(1)
    await write(writer, { papi: 1 })
    expect(await reader.journal.read("papi", 0)).toHaveLength(2)
    await expect(reader.policies.set("papi", "x")).rejects.toThrow(StoreReadOnly)
    await expect(
      reader.journal.append({ stream: "papi", expected: 2, epoch: 1, events: [event("x")], outbox: [] }),
    ).rejects.toThrow(StoreReadOnly)
    expect(await reader.health()).toMatchObject({ readOnly: true, damage: undefined })
  })

  it("E68: brings the tables of an older version up to date and keeps what they hold", async () => {
    const old = await open()
    await write(old, { papi: 2 })
    await tamper(
      old,
      "drop table \"order\"; drop table snapshot; drop index event_feed; drop index outbox_due; update meta set value = '1'",
    )
    const store = await open()
    expect(await store.journal.read("papi", 0)).toHaveLength(2)
    expect(await store.health()).toMatchObject({ schema: 3 })
    const order = { id: "o-1", app: "papi", command: { type: "pause", reason: "x" }, by: "eva" } as const
    await store.orders.leave(order)
    expect(await store.orders.waiting(10)).toEqual([order])
  })

  it("keeps an order until it is answered, and its answer until it is taken, once", async () => {
    const { orders } = await open()
    const order = { id: "o-1", app: "papi", command: { type: "pause", reason: "x" }, by: "eva" } as const
    await orders.leave(order)
    await orders.leave({ ...order, by: "mallory" })
    expect(await orders.waiting(10)).toEqual([order])
    expect(await orders.take("o-1")).toBeUndefined()
    await orders.answer("o-1", { kind: "done" })
    expect(await orders.waiting(10)).toEqual([])
    expect(await orders.take("o-1")).toEqual({ kind: "done" })
    expect(await orders.take("o-1")).toBeUndefined()
  })

  it("E68: refuses a file that a newer version wrote, that is no store, or that is not there to read", async () => {
    await tamper(await open(), "update meta set value = '99'")
    await expect(open()).rejects.toThrow(StoreTooNew)
    await expect(open()).rejects.toThrow(/schema 99 .* up to 3/)
    await tamper(await openStore({ path: join(folder, "x.db"), clock }), "drop table meta")
    await expect(open()).rejects.toThrow(/not a store of Immunity/)
    path = join(folder, "missing.db")
    await expect(open({ readOnly: true })).rejects.toThrow(/there is no store/)
    path = join(folder, "text.db")
    writeFileSync(path, "this is not a database, though it is long enough to be one ".repeat(40))
    await expect(open()).rejects.toThrow(StoreDamaged)
    path = folder
    await expect(open()).rejects.toThrow(/cannot be opened/)
  })

  it("tells its health", async () => {
    const store = await open()
    const health = await store.health()
    expect(health).toMatchObject({
      readOnly: false,
      damage: undefined,
      schema: 3,
      ballast: "kept",
      deadLetters: 0,
    })
    expect(health.diskFree).toBeGreaterThan(0)
    expect(statSync(`${path}.ballast`).size).toBe(16 * 1024 * 1024)
    expect(existsSync(`${path}.lock`)).toBe(true)
  })
})

describe("a store that was changed behind its back", () => {
  const changes: Record<string, { readonly sql: string; readonly where: string }> = {
    "an edited reason": {
      sql: "update event set because = 'x' where stream = 'papi' and version = 2",
      where: "version 2 of papi",
    },
    "an edited body": {
      sql: `update event set body = replace(body, 'web 3', 'web 4') where stream = 'web'`,
      where: "version 3 of web",
    },
    "another author": {
      sql: "update event set by = 'mallory' where stream = 'web' and version = 1",
      where: "version 1 of web",
    },
    "a moved moment": {
      sql: "update event set at = 2 where stream = 'web' and version = 1",
      where: "version 1 of web",
    },
    "a removed event": {
      sql: "delete from event where stream = 'papi' and version = 2",
      where: "version 2 of papi",
    },
    "a removed beginning": {
      sql: "delete from event where stream = 'papi' and version = 1",
      where: "version 1 of papi",
    },
    "two events exchanged": {
      sql: "update event set version = 9 where stream = 'papi' and version = 1; update event set version = 1 where stream = 'papi' and version = 2; update event set version = 2 where stream = 'papi' and version = 9",
      where: "version 1 of papi",
    },
    "an event of another stream": {
      sql: "update event set stream = 'papi', version = 4 where stream = 'web' and version = 3",
      where: "version 4 of papi",
    },
    "an epoch that falls": {
      sql: "update event set epoch = 0 where stream = 'papi' and version = 3",
      where: "version 3 of papi",
    },
  }
  for (const [what, { sql, where }] of Object.entries(changes))
    it(`is refused, and read-only it says where: ${what}`, async () => {
      const store = await open()
      await write(store, { papi: 3, web: 3 })
      await tamper(store, sql)
      await expect(open()).rejects.toThrow(StoreDamaged)
      await expect(open()).rejects.toThrow(where)
      const reader = await open({ readOnly: true })
      const { damage } = await reader.health()
      expect(`version ${damage?.version} of ${damage?.stream}`).toBe(where)
      expect((await reader.journal.feed(0, 100)).length).toBeGreaterThan(4)
    })

  it("is refused when its file was cut", async () => {
    const store = await open()
    await write(store, { papi: 20 })
    await store.close()
    opened.splice(0)
    truncateSync(path, statSync(path).size - 8_192)
    await expect(open()).rejects.toThrow(StoreDamaged)
  })

  it("is seen by anyone who was given the events of a stream", async () => {
    const store = await open()
    await write(store, { papi: 3 })
    const events = await store.journal.read("papi", 0)
    const [first, second, third] = events
    if (!first || !second || !third) throw new Error("three events were written")
    expect(verifyChain(events)).toBeUndefined()
    expect(verifyChain([])).toBeUndefined()
    expect(verifyChain([first, third])).toMatchObject({ stream: "papi", version: 2 })
    expect(verifyChain([first, { ...second, by: "mallory" }, third])).toMatchObject({ version: 2 })
    expect(verifyChain([first, { ...second, hash: first.hash }, third])).toMatchObject({ version: 2 })
  })
})

describe("evidence", () => {
  const holder = async (leases: Leases) => {
    const lease = await leases.acquire("app/papi", "one", 8_000)
    return { app: "papi", epoch: lease?.epoch ?? 0 }
  }
  const interval = (from: number) => ({
    stage: "shifting" as const,
    step: 1,
    from,
    to: from + 5,
    judged: true,
    measurements: [
      { metric: "errors", from, to: from + 5, canary: { kind: "proportion" as const, total: 9, bad: 1 } },
    ],
  })

  it("is found again under the hash of its content, which does not depend on the order of keys", async () => {
    const { evidence, leases } = await open()
    const by = await holder(leases)
    const kept = await evidence.put(by, { verdicts: [{ metric: "errors", kind: "worse" }], rollout: 7 })
    const hash = kept === "fenced" ? "" : kept.hash
    expect(hash).toMatch(/^[0-9a-f]{64}$/)
    const again = await evidence.put(by, { rollout: 7, verdicts: [{ kind: "worse", metric: "errors" }] })
    expect(again).toEqual({ hash })
    expect(await evidence.get(hash)).toEqual({ rollout: 7, verdicts: [{ kind: "worse", metric: "errors" }] })
    expect(await evidence.get("0".repeat(64))).toBeUndefined()
  })

  it("keeps intervals in order, once each, until they are old", async () => {
    const store = await open()
    const { evidence } = store
    const by = await holder(store.leases)
    for (const from of [0, 5, 5, 10]) await evidence.addInterval(by, 7, interval(from))
    await evidence.addInterval(by, 7, { ...interval(20), stage: "baking", judged: false })
    await evidence.addInterval(by, 8, interval(0))
    expect(await evidence.intervals("papi", 7, "shifting")).toEqual([interval(0), interval(5), interval(10)])
    expect(await evidence.intervals("papi", 7)).toHaveLength(4)
    expect((await evidence.intervals("papi", 7, "baking"))[0]).toMatchObject({ judged: false })
    expect(await store.pruneIntervals(10)).toBe(2)
    expect((await evidence.intervals("papi", 7)).map((i) => i.from)).toEqual([5, 10, 20])
    expect(await evidence.intervals("papi", 8)).toEqual([])
  })
})
