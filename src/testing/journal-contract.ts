import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Recorded } from "../core/pipeline/events.ts"
import type { Evidence, Interval } from "../ports/evidence.ts"
import type { Append, Journal } from "../ports/journal.ts"
import type { KillSwitch } from "../ports/kill-switch.ts"
import { type Lease, type Leases, presenceOf } from "../ports/leases.ts"
import type { Notice } from "../ports/notifier.ts"
import { unpack } from "../ports/packed.ts"
import type { Snapshots } from "../ports/snapshots.ts"
import { appendsContract, paused } from "./appends-contract.ts"
import { served } from "./core-stories.ts"

/** A journal and what lies beside it: its evidence, the leases that fence both, and the kill switch; all empty. */
export type JournalUnderTest = {
  readonly journal: Journal
  readonly evidence: Evidence
  readonly killSwitch: KillSwitch
  readonly leases: Leases
  readonly snapshots: Snapshots
  /** Lets so much time pass on the clock that leases are measured by. */
  readonly pass: (ms: number) => Promise<void>
  readonly close: () => Promise<void>
}

const notice = (id: string): Notice => ({
  to: "https://hooks.example/x",
  id,
  at: 1_700_000_000_000,
  app: "papi",
  type: "rollback",
  text: "papi #7 was rolled back",
  data: { rollout: 7 },
})

/** What every journal and its leases promise, whatever they are stored in. */
export function journalContract(name: string, open: () => Promise<JournalUnderTest>): void {
  appendsContract(name, open)
  describe(`${name} keeps the promises of a journal`, () => {
    let under: JournalUnderTest
    beforeEach(async () => {
      under = await open()
    })
    afterEach(() => under.close())

    const lead = async (app = "papi", owner = "one"): Promise<number> => {
      const lease = await under.leases.acquire(`app/${app}`, owner, 8_000)
      if (!lease) throw new Error(`the lease on ${app} was refused to ${owner}`)
      return lease.epoch
    }
    const append = (epoch: number, expected: number, more: Partial<Append> = {}) =>
      under.journal.append({ stream: "papi", expected, epoch, events: [paused("a")], outbox: [], ...more })

    it("numbers the events of a stream from 1 without gaps and reads them back unchanged", async () => {
      const epoch = await lead()
      const first = await append(epoch, 0, { events: [paused("a"), paused("b")] })
      const second = await append(epoch, 2, { events: [paused("c")] })
      if (first.kind !== "appended" || second.kind !== "appended") throw new Error("not appended")
      const read = await under.journal.read("papi", 0)
      expect(read).toEqual([...first.stored, ...second.stored])
      expect(read.map((e) => e.version)).toEqual([1, 2, 3])
      expect(read.map((e) => e.because)).toEqual(["a", "b", "c"])
      expect(await under.journal.read("papi", 2)).toEqual(second.stored)
      expect(new Set(read.map((e) => e.hash)).size).toBe(3)
    })

    it("keeps no evidence of a writer without a lease, with an old epoch, or that gave its lease back", async () => {
      const { evidence } = under
      const interval = (from: number): Interval => {
        const canary = { kind: "proportion", total: 9, bad: 1 } as const
        const measurements = [{ metric: "errors", from, to: from + 5, canary }]
        return { stage: "shifting", step: 1, from, to: from + 5, judged: true, measurements }
      }
      const add = (epoch: number, from: number) =>
        evidence.addInterval({ app: "papi", epoch }, 7, interval(from))
      const put = (epoch: number) => evidence.put({ app: "papi", epoch }, { epoch })
      expect([await add(1, 0), await put(1)]).toEqual(["fenced", "fenced"])
      const old = await lead()
      const mine = await put(old)
      expect([await add(old, 5), await add(old, 5)]).toEqual(["kept", "kept"])
      expect(await put(old)).toEqual(mine)
      await under.pass(8_001)
      const now = await lead("papi", "two")
      // Once more, as by a packet that was late, and something new.
      expect([await add(old, 5), await add(old, 10), await put(old)]).toEqual(["fenced", "fenced", "fenced"])
      expect([await add(now + 1, 15), await put(now + 1)]).toEqual(["fenced", "fenced"])
      expect(await add(now, 20)).toBe("kept")
      await under.leases.release({ key: "app/papi", epoch: now }, "two")
      expect([await add(now, 25), await put(now)]).toEqual(["fenced", "fenced"])
      expect(await evidence.intervals("papi", 7)).toEqual([interval(5), interval(20)])
      expect(mine !== "fenced" && (await evidence.get(mine.hash))).toEqual({ epoch: old })
    })

    it("remembers who set the kill switch first, until it is lifted", async () => {
      const { killSwitch } = under
      expect(await killSwitch.read()).toBeUndefined()
      await killSwitch.set("Mira", "something is odd")
      await killSwitch.set("Ben", "as she said")
      expect(await killSwitch.read()).toMatchObject({ by: "Mira", reason: "something is odd" })
      await killSwitch.lift()
      await killSwitch.lift()
      expect(await killSwitch.read()).toBeUndefined()
    })

    it("lets only one of two writers that decided on the same version win", async () => {
      const epoch = await lead()
      const outcomes = await Promise.all([append(epoch, 0), append(epoch, 0), append(epoch, 0)])
      expect(outcomes.map((o) => o.kind).sort()).toEqual(["appended", "conflict", "conflict"])
      expect(await under.journal.read("papi", 0)).toHaveLength(1)
      expect((await append(epoch, 7)).kind).toBe("conflict")
    })

    it("refuses a writer without a lease, with an old epoch, and one that gave its lease back", async () => {
      expect((await append(1, 0)).kind).toBe("fenced")
      const old = await lead()
      await under.pass(8_001)
      const now = await lead("papi", "two")
      expect(now).toBe(old + 1)
      expect((await append(old, 0)).kind).toBe("fenced")
      expect((await append(now + 1, 0)).kind).toBe("fenced")
      expect((await append(now, 0)).kind).toBe("appended")
      await under.leases.release({ key: "app/papi", epoch: now }, "two")
      expect((await append(now, 1)).kind).toBe("fenced")
      expect(await under.journal.read("papi", 0)).toHaveLength(1)
    })

    it("does not let a lease on one application write to another", async () => {
      await lead("papi-two")
      const epoch = await lead("papi-two", "one")
      expect((await append(epoch, 0)).kind).toBe("fenced")
    })

    it("answers a repeated command with its first result and does nothing", async () => {
      const epoch = await lead()
      const command = { id: "c-1", result: { rollout: 7 } }
      expect((await append(epoch, 0, { command, outbox: [notice("n-1")] })).kind).toBe("appended")
      const again = await append(epoch, 1, {
        command: { id: "c-1", result: "another" },
        outbox: [notice("n-2")],
      })
      expect(again).toEqual({ kind: "duplicate", result: { rollout: 7 } })
      // Whoever holds the lease by now, and whatever version the client knew.
      expect((await append(epoch + 5, 0, { command })).kind).toBe("duplicate")
      expect(await under.journal.commandResult("c-1")).toEqual({ rollout: 7 })
      expect(await under.journal.commandResult("c-2")).toBeUndefined()
      expect(await under.journal.read("papi", 0)).toHaveLength(1)
      expect(await under.journal.outbox(2e12, 10)).toHaveLength(1)
    })

    it("keeps nothing of an append that is refused", async () => {
      const epoch = await lead()
      await append(epoch, 3, { command: { id: "c-1", result: 1 }, outbox: [notice("n-1")] })
      expect(await under.journal.commandResult("c-1")).toBeUndefined()
      expect(await under.journal.outbox(2e12, 10)).toEqual([])
    })

    it("keeps nothing of an append that cannot be stored, and says what cannot", async () => {
      const epoch = await lead()
      const broken: Recorded = {
        ...paused("a"),
        event: { type: "step-started", rollout: 1, step: 0, weight: Number.NaN },
      }
      await expect(append(epoch, 0, { events: [paused("a"), broken] })).rejects.toThrow(/weight is NaN/)
      expect(await under.journal.read("papi", 0)).toEqual([])
      expect((await append(epoch, 0)).kind).toBe("appended")
    })

    it("remembers a command that changed nothing", async () => {
      const epoch = await lead()
      await append(epoch, 0, { events: [], command: { id: "c-1", result: undefined } })
      expect((await append(epoch, 0, { events: [], command: { id: "c-1", result: 2 } })).kind).toBe(
        "duplicate",
      )
      expect(await under.journal.streams()).toEqual([])
    })

    it("feeds the events of all streams in the order of their sequence, in pages", async () => {
      const papi = await lead("papi")
      const web = await lead("web")
      await append(papi, 0)
      await append(web, 0, { stream: "web" })
      await append(papi, 1, { events: [paused("b"), paused("c")] })
      const all = await under.journal.feed(0, 100)
      expect(all.map((e) => `${e.stream} ${e.version}`)).toEqual(["papi 1", "web 1", "papi 2", "papi 3"])
      expect(all.map((e) => e.sequence)).toEqual(all.map((e) => e.sequence).toSorted((a, b) => a - b))
      const page = await under.journal.feed(0, 2)
      expect([...page, ...(await under.journal.feed(page[1]?.sequence ?? 0, 100))]).toEqual(all)
      expect((await under.journal.feed(0, 100, "web")).map((e) => e.stream)).toEqual(["web"])
      expect(await under.journal.streams()).toEqual(["papi", "web"])
    })

    it("gives of each stream what follows a version, and tells where everything ends", async () => {
      expect(await under.journal.end()).toBe(0)
      for (const stream of ["papi", "web", "app-1", "app1"]) {
        const epoch = await lead(stream)
        await append(epoch, 0, { stream, events: [paused("a"), paused("b"), paused("c")] })
      }
      const places = [
        { stream: "web", version: 1 },
        { stream: "papi", version: 3 },
        { stream: "app-1", version: 0 },
        { stream: "none", version: 0 },
      ]
      const tails = await under.journal.tails(places)
      const of = (stream: string) => tails.flatMap((e) => (e.stream === stream ? [e.version] : []))
      expect([of("web"), of("app-1"), tails.length]).toEqual([[2, 3], [1, 2, 3], 5])
      expect(tails.filter((e) => e.stream === "web")).toEqual(await under.journal.read("web", 1))
      expect(await under.journal.tails([])).toEqual([])
      expect(await under.journal.end()).toBe((await under.journal.feed(0, 100)).at(-1)?.sequence)
      expect([...(await under.journal.streams())].sort()).toEqual(["app-1", "app1", "papi", "web"])
    })

    it("gives a snapshot back as it was kept, the newest one, and only while it stands on its event", async () => {
      const { snapshots } = under
      const outcome = await append(await lead(), 0, { events: [paused("a"), paused("b")] })
      const [first, second] = outcome.kind === "appended" ? outcome.stored : []
      if (!first || !second) throw new Error("not appended")
      const { state } = served()
      const at = (version: number, hash: string) => ({ stream: "papi", version, hash, state })
      const read = async (...streams: readonly string[]) =>
        (await snapshots.read(streams)).map(({ packed, ...snapshot }) => {
          if (packed) expect(unpack(packed)).toStrictEqual(snapshot.state)
          return snapshot
        })
      expect(await snapshots.read(["papi", "web"])).toEqual([])
      await snapshots.keep([])
      await snapshots.keep([at(1, first.hash), { ...at(1, first.hash), stream: "web" }])
      // Of web there is no such event.
      expect(await read("papi", "web")).toStrictEqual([at(1, first.hash)])
      await snapshots.keep([at(2, second.hash)])
      await snapshots.keep([at(1, first.hash)])
      expect(await read("papi")).toStrictEqual([at(2, second.hash)])
      await snapshots.keep([at(3, second.hash)])
      expect(await snapshots.read(["papi"])).toEqual([])
      expect(await snapshots.read([])).toEqual([])
    })

    it("carries any text through, and replaces only what is no text: NUL and half a surrogate pair", async () => {
      const epoch = await lead()
      const because = "ünï\u0000cødé \u{1f389} half \ud83d emoji ' \" \\ \u2028"
      const outcome = await append(epoch, 0, { events: [{ ...paused("x"), because }] })
      if (outcome.kind !== "appended") throw new Error("not appended")
      const read = await under.journal.read("papi", 0)
      expect(read).toEqual(outcome.stored)
      expect(read[0]?.because).toBe(because.toWellFormed().replace("\0", "\ufffd"))
    })

    it("hands out a notice until it was delivered, later after a failure, never after the last", async () => {
      const epoch = await lead()
      await append(epoch, 0, { outbox: [notice("n-1"), notice("n-2"), notice("n-3")] })
      const [one, two, three] = await under.journal.outbox(0, 10)
      if (!one || !two || !three) throw new Error("three notices should be due")
      expect(one).toMatchObject({ attempts: 0, notice: notice("n-1") })
      expect(await under.journal.outbox(0, 1)).toEqual([one])
      await under.journal.outboxDone(one.id)
      await under.journal.outboxFailed(two.id, "503", 5_000)
      await under.journal.outboxFailed(three.id, "410", undefined)
      expect(await under.journal.outbox(4_999, 10)).toEqual([])
      expect(await under.journal.outbox(5_000, 10)).toEqual([{ ...two, attempts: 1 }])
    })

    it("gives a lease to one owner at a time, with a rising epoch", async () => {
      const { leases } = under
      const first = await leases.acquire("k", "one", 8_000)
      expect(first).toEqual({ key: "k", epoch: 1 })
      if (!first) return
      expect(await leases.acquire("k", "two", 8_000)).toBeUndefined()
      await under.pass(7_000)
      expect(await leases.renew(first, "one", 8_000)).toBe(true)
      expect(await leases.renew(first, "two", 8_000)).toBe(false)
      await under.pass(7_000)
      expect(await leases.acquire("k", "two", 8_000)).toBeUndefined()
      await under.pass(1_001)
      const second = await leases.acquire("k", "two", 8_000)
      expect(second).toEqual({ key: "k", epoch: 2 })
      expect(await leases.renew(first, "one", 8_000)).toBe(false)
      await leases.release(first, "one")
      expect(await leases.acquire("k", "three", 8_000)).toBeUndefined()
    })

    it("lets a given-back lease be taken at once, and its own owner take it anew with the next epoch", async () => {
      const { leases } = under
      const first = await leases.acquire("k", "one", 8_000)
      if (!first) throw new Error("refused")
      expect((await leases.acquire("k", "one", 8_000))?.epoch).toBe(2)
      expect(await leases.renew(first, "one", 8_000)).toBe(false)
      await leases.release({ key: "k", epoch: 2 }, "one")
      expect((await leases.acquire("k", "two", 8_000))?.epoch).toBe(3)
    })

    const presence = async (owner: string): Promise<Lease> => {
      const lease = await under.leases.acquire(presenceOf(owner), owner, 8_000)
      if (!lease) throw new Error(`${owner} may not show its presence`)
      return lease
    }

    it("keeps as many leases as an owner took by its presence alone, far longer than a lease lasts", async () => {
      const { leases } = under
      const one = await presence("one")
      await presence("two")
      const keys = ["app/a", "app/b", "app/c"]
      const taken = await leases.take(keys, "one")
      expect([...taken].sort((a, b) => (a.key < b.key ? -1 : 1))).toEqual(
        keys.map((key) => ({ key, epoch: 1 })),
      )
      expect(await leases.take(["app/c", "app/d"], "two")).toEqual([{ key: "app/d", epoch: 1 }])
      for (let i = 0; i < 4; i++) {
        await under.pass(7_000)
        expect(await leases.renew(one, "one", 8_000)).toBe(true)
        expect(await leases.open("two")).toEqual([])
        expect(await leases.take(keys, "two")).toEqual([])
      }
      expect(await leases.take(["app/a"], "one")).toEqual([{ key: "app/a", epoch: 2 }])
    })

    it("gives everything of an owner that is gone to the next one, and the owner hears of it", async () => {
      const { leases, journal } = under
      const one = await presence("one")
      await leases.take(["app/papi", "app/b"], "one")
      await under.pass(8_001)
      expect(await leases.open("two")).toEqual(["app/b", "app/papi"])
      const two = await presence("two")
      expect(await leases.take(["app/papi"], "two")).toEqual([{ key: "app/papi", epoch: 2 }])
      expect(await leases.open("two")).toEqual(["app/b"])
      expect(await leases.renew(one, "one", 8_000)).toBe(false)
      expect(await journal.append({ stream: "papi", expected: 0, epoch: 1, events: [], outbox: [] })).toEqual(
        {
          kind: "fenced",
        },
      )
      // Back again, it takes what is left, and leaves what went to others.
      expect((await presence("one")).epoch).toBeGreaterThan(one.epoch)
      expect(await leases.take(["app/papi", "app/b"], "one")).toEqual([{ key: "app/b", epoch: 2 }])
      await leases.release(two, "two")
      expect(await leases.open("one")).toEqual(["app/papi"])
      // What a late copy of its own question took is its own, and unknown to it.
      expect(await leases.open("one", true)).toEqual(["app/b", "app/papi"])
    })
  })
}
