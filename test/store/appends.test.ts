import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Recorded } from "../../src/core/pipeline/events.ts"
import type { AppendOutcome } from "../../src/ports/journal.ts"
import { presenceOf } from "../../src/ports/leases.ts"
import { openSharedStore, type Store } from "../../src/store/store.ts"
import { PostgresServer, postgresBin } from "../support/postgres.ts"
import { minutes, until } from "../support/until.ts"
import { Wire } from "../support/wire.ts"

const clock = { now: () => 1_700_000_000_000, mono: () => 0, sleep: async () => {} }
const paused: Recorded = {
  at: 1_700_000_000_000,
  by: "eva",
  because: "a",
  event: { type: "app-paused", reason: "a" },
}
/** What no store can keep. */
const broken: Recorded = {
  ...paused,
  event: { type: "step-started", rollout: 1, step: 0, weight: Number.NaN },
}

describe.skipIf(!postgresBin)("appends that share a transaction on PostgreSQL", () => {
  let server: PostgresServer
  let databases = 0

  beforeAll(async () => {
    server = new PostgresServer(postgresBin ?? "")
    await server.start()
  })
  afterAll(() => server.close())

  /** A store at the end of a wire, and the leases of some streams. */
  const opened = async (count: number) => {
    const database = `appends_${databases++}`
    server.create(database)
    const wire = new Wire(server.socket)
    const store = await openSharedStore({ url: await wire.url(database), clock })
    const streams = Array.from({ length: count }, (_, i) => `app-${i}`)
    const leases = await store.leases.take(
      streams.map((stream) => `app/${stream}`),
      "one",
    )
    const epochs = new Map(leases.map(({ key, epoch }) => [key.slice("app/".length), epoch]))
    /** All at the same moment, each as a command of its own. */
    const append = (poison?: string) =>
      Promise.allSettled(
        streams.map((stream) =>
          store.journal.append({
            stream,
            expected: 0,
            epoch: epochs.get(stream) ?? Number.NaN,
            events: [stream === poison ? broken : paused],
            outbox: [],
            command: { id: `c-${stream}`, result: stream },
          }),
        ),
      )
    const close = async () => {
      await store.close()
      wire.close()
    }
    return { database, wire, store, streams, append, close }
  }

  it("are one transaction of up to two hundred", async () => {
    const { wire, store, append, close } = await opened(300)
    const before = wire.asked("commit")
    expect(said(await append())).toEqual({ appended: 300 })
    expect(wire.asked("commit") - before).toBe(2)
    expect(await store.journal.feed(0, 1_000)).toHaveLength(300)
    await close()
  })

  it("are all unknown when the answer to their commit is lost, and found when they are tried again", async () => {
    const { wire, store, append, close } = await opened(50)
    wire.losesAnswerTo("commit")
    expect(said(await append())).toEqual({ "cannot be reached": 50 })
    expect(said(await append())).toEqual({ duplicate: 50 })
    expect(await store.journal.feed(0, 1_000)).toHaveLength(50)
    await close()
  })

  it.concurrent.each(["begin", "pg_advisory_xact_lock", "commit"])(
    "do not stop those after them when their connection dies without a word at %s",
    async (at) => {
      const { wire, store, append, close } = await opened(5)
      wire.swallows(at)
      expect(said(await append())).toEqual({ "cannot be reached": 5 })
      // What the dead connection has locked is given free by the database when nothing comes from it.
      await until("the next ones to be stored", async () => "appended" in said(await append()) || undefined)
      expect(said(await append())).toEqual({ duplicate: 5 })
      expect(await store.journal.feed(0, 1_000)).toHaveLength(5)
      await close()
    },
    5 * minutes,
  )

  it("cost nobody a lease when one of them cannot be stored", async () => {
    const { wire, store, append, close } = await opened(150)
    const presence = await store.leases.acquire(presenceOf("one"), "one", 600_000)
    if (!presence) throw new Error("the presence is taken")
    let ended = false
    const appended = append("app-7").finally(() => {
      ended = true
    })
    do expect(await store.leases.renew(presence, "one", 600_000)).toBe(true)
    while (!ended)
    expect(said(await appended)).toEqual({ appended: 149, failed: 1 })
    expect(wire.connections).toBeLessThan(8)
    await close()
  })

  it(
    "wait for a synchronous standby on every connection there is, and still somebody says so",
    async () => {
      const { store, streams, close } = await opened(12)
      await server.set("synchronous_standby_names", "gone")
      try {
        const waiting = Promise.allSettled(
          streams.map((stream) => store.leases.acquire(`plane/${stream}`, stream, 600_000)),
        )
        await until(
          "what they wait for",
          async () => (await store.waitsFor())?.includes("'gone'") || undefined,
        )
        await server.set("synchronous_standby_names", "")
        await waiting
      } finally {
        await server.set("synchronous_standby_names", "")
      }
      await close()
    },
    2 * minutes,
  )

  it("hear that the store cannot be reached on a connection that died before they came to it", async () => {
    const { database, store, close } = await opened(1)
    await fill(store)
    const backup = store.backup()[Symbol.asyncIterator]()
    await backup.next()
    const idle = `datname = '${database}' and state = 'idle in transaction'`
    await until("the backup's connection to end", async () => {
      await server.ask(`select pg_terminate_backend(pid) from pg_stat_activity where ${idle}`)
      return (await server.ask(`select pid from pg_stat_activity where ${idle}`)) === "" || undefined
    })
    const rest = async () => {
      while (!(await backup.next()).done);
    }
    await expect(rest()).rejects.toThrow("cannot be reached")
    await close()
  })
})

/** More than a backup reads at once. */
async function fill(store: Store): Promise<void> {
  const lease = await store.leases.acquire("app/papi", "one", 600_000)
  const events = Array.from({ length: 500 }, () => paused)
  for (let i = 0; i < 5; i++)
    await store.journal.append({
      stream: "papi",
      expected: i * events.length,
      epoch: lease?.epoch ?? Number.NaN,
      events,
      outbox: [],
    })
}

/** How many were told what. */
function said(results: readonly PromiseSettledResult<AppendOutcome>[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const result of results) {
    const unreached = result.status === "rejected" && String(result.reason).includes("cannot be reached")
    const heard =
      result.status === "fulfilled" ? result.value.kind : unreached ? "cannot be reached" : "failed"
    counts[heard] = (counts[heard] ?? 0) + 1
  }
  return counts
}
