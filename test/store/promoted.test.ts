import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { discard } from "../../src/agent/artifacts.ts"
import { temporaryFolder } from "../../src/main/demo/leftovers.ts"
import { openSharedStore, type Store } from "../../src/store/store.ts"
import { PostgresServer, postgresBin } from "../support/postgres.ts"

const clock = { now: () => 1_700_000_000_000, mono: () => 0, sleep: async () => {} }

const append = async ({ journal }: Store, epoch: number, expected: number) => {
  const event = { type: "app-paused", reason: "calm" } as const
  const events = [{ at: 1, by: "eva", because: "calm", event }]
  return (await journal.append({ stream: "papi", expected, epoch, events, outbox: [] })).kind
}

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})
const started = async (primary?: PostgresServer): Promise<PostgresServer> => {
  const server = new PostgresServer(postgresBin ?? "", undefined, primary)
  ends.push(() => server.close())
  await server.start()
  return server
}

describe.skipIf(!postgresBin)("a standby of PostgreSQL", () => {
  it("is refused by a control plane until it is promoted, and then gives epochs above all that were given before", async () => {
    const primary = await started()
    const before = await openSharedStore({ url: primary.create("immunity"), clock })
    const epoch = async ({ leases }: Store) => (await leases.acquire("app/papi", "one", 8_000))?.epoch ?? 0
    const standby = await started(primary)
    await primary.set("synchronous_standby_names", "standby")
    const old = await epoch(before)
    for (let version = 0; version < 5; version++) expect(await append(before, old, version)).toBe("appended")

    const url = standby.url("immunity")
    const dir = temporaryFolder("immunity-promoted")
    ends.push(() => discard(dir))
    const holder = join(dir, "immunity.db")
    await expect(openSharedStore({ url, clock, holder })).rejects.toThrow(/its address leads to a standby/)
    const looked = await openSharedStore({ url, clock })
    expect(await looked.timeline()).toBe("standby")
    await looked.close()

    await primary.kill()
    await before.close()
    await standby.promote()
    const after = await openSharedStore({ url, clock, holder })
    expect(await after.timeline()).toBe(2)
    expect(await after.journal.read("papi", 0)).toHaveLength(5)
    const now = await epoch(after)
    expect(now).toBe(2 ** 40 + 1)
    expect(await append(after, old, 5)).toBe("fenced")
    expect(await append(after, now, 5)).toBe("appended")
    const [again, other] = await after.leases.take(["app/papi", "app/web"], "one")
    expect([again?.epoch, other?.epoch]).toEqual([now + 1, 2 ** 40 + 1])
    await after.close()
  })

  it("that is synchronous and away is named by whoever asks what is waited for, and by nobody else", async () => {
    const primary = await started()
    const store = await openSharedStore({ url: primary.create("immunity"), clock })
    const standby = await started(primary)
    await primary.set("synchronous_standby_names", "standby")
    expect(await store.leases.acquire("app/papi", "one", 8_000)).toBeDefined()
    expect(await store.waitsFor()).toBeUndefined()
    await standby.kill()
    const waits = store.leases.acquire("app/web", "one", 8_000)
    await expect.poll(() => store.waitsFor(), { timeout: 30_000 }).toMatch(/standby that is away.*'standby'/)
    await primary.set("synchronous_standby_names", "")
    expect((await waits)?.key).toBe("app/web")
    expect(await store.waitsFor()).toBeUndefined()
    await store.close()
  })
})
