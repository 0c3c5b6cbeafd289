import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Recorded } from "../core/pipeline/events.ts"
import type { Append, Journal } from "../ports/journal.ts"
import type { Leases } from "../ports/leases.ts"

type UnderTest = {
  readonly journal: Journal
  readonly leases: Leases
  readonly close: () => Promise<void>
}

/** An event that any state of an application can take. */
export const paused = (reason: string): Recorded => ({
  at: 1_700_000_000_000,
  by: "eva",
  because: reason,
  event: { type: "app-paused", reason },
})
/** What no store can keep. */
const broken: Recorded = {
  ...paused("a"),
  event: { type: "step-started", rollout: 1, step: 0, weight: Number.NaN },
}

/** What every journal promises those who append in the same moment. */
export function appendsContract(name: string, open: () => Promise<UnderTest>): void {
  describe(`${name} keeps its promises to several who append in the same moment`, () => {
    let under: UnderTest
    beforeEach(async () => {
      under = await open()
    })
    afterEach(() => under.close())

    const lead = async (stream: string): Promise<number> =>
      (await under.leases.acquire(`app/${stream}`, "one", 8_000))?.epoch ?? Number.NaN
    const append = (stream: string, epoch: number, expected: number, more: Partial<Append> = {}) =>
      under.journal.append({ stream, expected, epoch, events: [paused(stream)], outbox: [], ...more })
    const lengthOf = async (stream: string): Promise<number> => (await under.journal.read(stream, 0)).length

    it("gives each its own outcome, whatever becomes of the others", async () => {
      const epoch = await lead("papi")
      for (const stream of ["web", "mail", "api"]) expect(await lead(stream)).toBe(epoch)
      const command = { id: "c-1", result: { rollout: 7 } }
      await append("mail", epoch, 0, { command })
      const outcomes = await Promise.allSettled([
        append("papi", epoch, 0),
        append("web", epoch + 1, 0),
        append("mail", epoch, 0, { command }),
        append("none", epoch, 0),
        append("api", epoch, 0, { events: [paused("a"), broken] }),
        append("web", epoch, 3),
        append("mail", epoch, 0),
      ])
      expect(outcomes.map((one) => (one.status === "fulfilled" ? one.value.kind : "failed"))).toEqual([
        "appended",
        "fenced",
        "duplicate",
        "fenced",
        "failed",
        "conflict",
        "conflict",
      ])
      const lengths = await Promise.all(["papi", "web", "mail", "api"].map(lengthOf))
      expect(lengths).toEqual([1, 0, 1, 0])
      expect((await append("papi", epoch, 1)).kind).toBe("appended")
    })

    it("lets a command that was given for two streams take effect once", async () => {
      const epochs = [await lead("papi"), await lead("web")]
      const command = { id: "c-1", result: 1 }
      const both = ["papi", "web"].map((stream, i) => append(stream, epochs[i] ?? 0, 0, { command }))
      const kinds = (await Promise.all(both)).map(({ kind }) => kind)
      expect(kinds.filter((kind) => kind === "appended")).toHaveLength(1)
      expect((await lengthOf("papi")) + (await lengthOf("web"))).toBe(1)
    })

    it("stores more than one statement takes, each stream in its order", async () => {
      const streams = Array.from({ length: 30 }, (_, i) => `app-${i}`)
      const events = Array.from({ length: 40 }, (_, i) => paused(String(i)))
      const epochs = await Promise.all(streams.map(lead))
      const notice = { to: "t", at: 1, app: "papi", type: "x", text: "", data: null } as const
      const outcomes = await Promise.all(
        streams.map((stream, i) =>
          append(stream, epochs[i] ?? 0, 0, { events, outbox: [{ ...notice, id: stream }] }),
        ),
      )
      const all = await under.journal.feed(0, 10_000)
      expect(all).toHaveLength(30 * 40)
      for (const [i, stream] of streams.entries()) {
        const stored = await under.journal.read(stream, 0)
        expect(outcomes[i]).toEqual({ kind: "appended", stored })
        expect(all.filter((event) => event.stream === stream)).toEqual(stored)
        expect(new Set(stored.map(({ hash }) => hash)).size).toBe(40)
      }
      expect(await under.journal.outbox(2e12, 100)).toHaveLength(30)
    })
  })
}
