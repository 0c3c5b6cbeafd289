import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Recorded } from "../../src/core/pipeline/events.ts"
import { nothing } from "../../src/core/pipeline/nothing.ts"
import { presenceOf } from "../../src/ports/leases.ts"
import { openSharedStore, openStore, type Store } from "../../src/store/store.ts"
import { journalContract } from "../../src/testing/journal-contract.ts"
import { PostgresServer, postgresBin } from "../support/postgres.ts"

const clock = { now: () => 1_700_000_000_000, mono: () => 0, sleep: async () => {} }
const paused = (reason: string): Recorded => ({
  at: 1_700_000_000_000,
  by: "eva",
  because: reason,
  event: { type: "app-paused", reason },
})

describe.skipIf(!postgresBin)("a store on PostgreSQL", () => {
  let server: PostgresServer
  let databases = 0
  const fresh = (): string => server.create(`immunity_${databases++}`)

  beforeAll(async () => {
    server = new PostgresServer(postgresBin ?? "")
    await server.start()
  })
  afterAll(() => server.close())

  journalContract("the PostgreSQL store", async () => {
    let ahead = 0
    const store = await openSharedStore({ url: fresh(), clock, ahead: () => ahead, foldCode: "one" })
    return {
      journal: store.journal,
      evidence: store.evidence,
      killSwitch: store.killSwitch,
      leases: store.leases,
      snapshots: store.snapshots,
      close: store.close,
      pass: async (ms) => {
        ahead += ms
      },
    }
  })

  it("is made once, however many control planes open it at the same moment, and lives on without them", async () => {
    const url = fresh()
    const stores = await Promise.all([1, 2, 3].map(() => openSharedStore({ url, clock })))
    const [one, two] = stores
    const lease = await one?.leases.acquire("app/papi", "one", 8_000)
    expect(await two?.leases.acquire("app/papi", "two", 8_000)).toBeUndefined()
    const events = [paused("a")]
    await one?.journal.append({ stream: "papi", expected: 0, epoch: lease?.epoch ?? 0, events, outbox: [] })
    expect((await two?.journal.read("papi", 0))?.map(({ because }) => because)).toEqual(["a"])
    await Promise.all(stores.map((store) => store.close()))
    const again = await openSharedStore({ url, clock })
    expect(await again.journal.read("papi", 0)).toHaveLength(1)
    await again.close()
  })

  it("says that it cannot be reached when its connection dies inside a transaction, and does not end the process", async () => {
    const url = fresh()
    const store = await openSharedStore({ url, clock })
    const lease = await store.leases.acquire("app/papi", "one", 8_000)
    const { default: pg } = await import("pg")
    const other = new pg.Client(url)
    await other.connect()
    // What appends wait for, so that one stands in the middle of its transaction.
    await other.query("select pg_advisory_lock(7300001)")
    const events = [paused("a")]
    const appended = store.journal.append({
      stream: "papi",
      expected: 0,
      epoch: lease?.epoch ?? 0,
      events,
      outbox: [],
    })
    const refused = expect(appended).rejects.toThrow("cannot be reached")
    const waiting = "select pid from pg_stat_activity where wait_event = 'advisory'"
    const end = `select pg_terminate_backend(pid) from (${waiting}) as waiting`
    while ((await other.query(end)).rowCount === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    await refused
    await other.end()
    // The connection is gone, and an error that nobody listens to would have ended us: another one is opened.
    expect(await store.journal.read("papi", 0)).toEqual([])
    await store.close()
  })

  it("says so also to whoever was only reading", async () => {
    const url = fresh()
    const store = await openSharedStore({ url, clock })
    const { default: pg } = await import("pg")
    const other = new pg.Client(url)
    await other.connect()
    const reads = {
      feed: () => store.journal.feed(0, 10),
      read: () => store.journal.read("papi", 0),
      result: () => store.journal.commandResult("one"),
      switch: () => store.killSwitch.read(),
      open: () => store.leases.open("one", true),
    }
    for (const [name, read] of Object.entries(reads)) {
      await other.query("begin")
      await other.query("lock table event, command, meta, lease in access exclusive mode")
      let heard = false
      const refused = expect(read(), name)
        .rejects.toThrow("cannot be reached")
        .finally(() => {
          heard = true
        })
      // From a connection of its own: inside of a transaction what others do is seen as of its first look.
      const end = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'"
      // It may have been given the connection that was ended before, and have heard already.
      while (!heard && (await server.ask(end)) === "") await new Promise((resolve) => setTimeout(resolve, 20))
      await refused
      await other.query("rollback")
    }
    await other.end()
    await store.close()
  })

  it("is refused when somebody changed what it holds", async () => {
    const url = fresh()
    const store = await openSharedStore({ url, clock })
    const lease = await store.leases.acquire("app/papi", "one", 8_000)
    await store.journal.append({
      stream: "papi",
      expected: 0,
      epoch: lease?.epoch ?? 0,
      events: [paused("a"), paused("b")],
      outbox: [],
    })
    await store.close()
    const { default: pg } = await import("pg")
    const client = new pg.Client(url)
    await client.connect()
    await client.query("update event set because = 'c' where version = 1")
    await client.end()
    await expect(openSharedStore({ url, clock })).rejects.toThrow(/is damaged at version 1 of papi/)
  })

  it("checks only what follows a snapshot when it is opened, and gives one to the code that folded it alone", async () => {
    const url = fresh()
    const store = await openSharedStore({ url, clock, foldCode: "one" })
    await writeMany(store, "papi", 3)
    const second = (await store.journal.read("papi", 0))[1]
    const snapshot = { stream: "papi", version: 2, hash: second?.hash ?? "", state: nothing("papi") }
    await store.snapshots.keep([snapshot])
    const other = await openSharedStore({ url, clock, foldCode: "two" })
    expect(await other.snapshots.read(["papi"])).toEqual([])
    expect(await store.snapshots.read(["papi"])).toEqual([{ ...snapshot, packed: expect.anything() }])
    await Promise.all([store, other].map((open) => open.close()))
    const { default: pg } = await import("pg")
    const client = new pg.Client(url)
    await client.connect()
    await client.query("update event set because = 'c' where version = 1")
    await (await openSharedStore({ url, clock })).close()
    await client.query("update event set because = 'c' where version = 3")
    await client.end()
    await expect(openSharedStore({ url, clock })).rejects.toThrow(/is damaged at version 3 of papi/)
  })

  it("shows the feed to a follower without leaving anything out, whoever writes at the same time", async () => {
    const url = fresh()
    const stores = await Promise.all([1, 2, 3, 4].map(() => openSharedStore({ url, clock })))
    const writing = Promise.all(stores.map((store, i) => writeMany(store, `app-${i}`, 40)))
    const seen: number[] = []
    const follower = await openSharedStore({ url, clock })
    let done = false
    void writing.then(() => {
      done = true
    })
    for (let after = 0, last = false; ; ) {
      const page = await follower.journal.feed(after, 50)
      seen.push(...page.map(({ sequence }) => sequence))
      after = page.at(-1)?.sequence ?? after
      if (last && page.length === 0) break
      last = done
    }
    const all = await follower.journal.feed(0, 1_000)
    expect(seen).toEqual(all.map(({ sequence }) => sequence))
    expect(all).toHaveLength(4 * 40)
    await Promise.all([...stores, follower].map((store) => store.close()))
  })

  it("lets appends of many streams and whoever takes their leases meanwhile wait for each other, and never in a circle", async () => {
    const url = fresh()
    // Leases are shown to others anew with each sign of presence.
    let mono = 0
    const later = () => {
      mono += 130_000
      return mono
    }
    const open = () => openSharedStore({ url, clock: { ...clock, mono: later } })
    const [one, two] = [await open(), await open()]
    const streams = Array.from({ length: 60 }, (_, i) => `${i % 2 === 0 ? "app-" : "app"}${i}`)
    const keys = streams.map((stream) => `app/${stream}`)
    const presence = await one.leases.acquire(presenceOf("one"), "one", 8_000)
    for (let round = 0; round < 20; round++) {
      const leases = await one.leases.take(keys, "one")
      const appends = leases.map(({ key, epoch }) => {
        const stream = key.slice("app/".length)
        return one.journal.append({ stream, expected: round, epoch, events: [paused("a")], outbox: [] })
      })
      const taken = two.leases.take(keys.toReversed(), "one")
      if (presence) await one.leases.renew(presence, "one", 8_000)
      // Of two that wait for each other the database ends one, with an error.
      expect(await Promise.all(appends)).toHaveLength(streams.length)
      await taken
    }
    await Promise.all([one, two].map((store) => store.close()))
  })

  it("loses nothing that it acknowledged when PostgreSQL is killed, and says that it cannot be reached", async () => {
    const url = fresh()
    const store = await openSharedStore({ url, clock })
    const lease = await store.leases.acquire("app/papi", "one", 60_000)
    const epoch = lease?.epoch ?? 0
    let acknowledged = 0
    for (let kill = 0; kill < 3; kill++) {
      for (let i = 0; i < 20; i++) {
        const expected = (await store.journal.read("papi", 0)).length
        const done = await store.journal.append({
          stream: "papi",
          expected,
          epoch,
          events: [paused(`${kill}/${i}`)],
          outbox: [],
        })
        if (done.kind === "appended") acknowledged++
      }
      await server.kill()
      const append = { stream: "papi", expected: acknowledged, epoch, events: [paused("x")], outbox: [] }
      await expect(store.journal.append(append)).rejects.toThrow(/cannot be reached|terminat|ENOENT|refused/)
      await server.start()
    }
    expect(await store.journal.read("papi", 0)).toHaveLength(acknowledged)
    expect(acknowledged).toBe(60)
    await store.close()
  })

  it("takes a backup of an embedded store, and gives one back that is the same", async () => {
    const embedded = await openStore({ path: ":memory:", clock })
    await writeMany(embedded, "papi", 30)
    const shared = await openSharedStore({ url: fresh(), clock })
    const lines = await linesOf(embedded)
    await shared.restore(each(lines))
    const kept = (of: readonly string[]) =>
      of.slice(1, -1).filter((line) => !line.includes('"table":"lease"'))
    expect(kept(await linesOf(shared))).toEqual(kept(lines))
    await writeMany(shared, "web", 1)
    await embedded.close()
    await shared.close()
  })

  it("gives small epochs as long as its database was never promoted, to a role that owns nothing but its tables", async () => {
    const { store, admin, close } = await asOrdinaryRole(fresh())
    expect(await store.timeline()).toBe(1)
    expect((await store.leases.acquire("app/papi", "one", 8_000))?.epoch).toBe(1)
    expect((await store.leases.take(["app/papi", "app/web"], "one")).map(({ epoch }) => epoch)).toEqual([
      2, 1,
    ])
    await admin.query("revoke execute on function pg_walfile_name(pg_lsn) from public")
    expect(await store.timeline()).toBe("untold")
    expect((await store.leases.acquire("app/papi", "one", 8_000))?.epoch).toBe(3)
    await close()
  })

  it("is told by its address without the secret when it cannot be opened", async () => {
    const url = "postgres://immunity:hunter2@127.0.0.1:1/immunity"
    await expect(openSharedStore({ url, clock })).rejects.toThrow(
      /the store postgres:\/\/immunity@127.0.0.1:1\/immunity cannot be reached/,
    )
    await expect(openSharedStore({ url, clock })).rejects.not.toThrow(/hunter2/)
  })
})

/** A store of a role that may do nothing but what every role may, and the connection of somebody who may do all. */
async function asOrdinaryRole(url: string) {
  const { default: pg } = await import("pg")
  const admin = new pg.Client(url)
  await admin.connect()
  await admin.query("create role plain login; grant create on schema public to plain")
  const store = await openSharedStore({ url: url.replace("immunity@", "plain@"), clock })
  const close = async () => {
    await store.close()
    await admin.end()
  }
  return { store, admin, close }
}

async function linesOf(store: Store): Promise<string[]> {
  const lines: string[] = []
  for await (const line of store.backup()) lines.push(line.slice(0, -1))
  return lines
}

async function* each(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines
}

async function writeMany(store: Store, app: string, count: number): Promise<void> {
  const lease = await store.leases.acquire(`app/${app}`, app, 60_000)
  for (let i = 0; i < count; i++) {
    const events = [paused(String(i))]
    await store.journal.append({ stream: app, expected: i, epoch: lease?.epoch ?? 0, events, outbox: [] })
  }
}
