import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Clock } from "../ports/clock.ts"
import type { Append, AppendOutcome } from "../ports/journal.ts"
import { verifyChain } from "./chain.ts"
import { openStore, type Store } from "./store.ts"

const ttl = 8_000
const streams = ["papi", "web"] as const
const owners = ["one", "two", "three"] as const
type Stream = (typeof streams)[number]
type Owner = (typeof owners)[number]

/** What any of several replicas may do, at any time, with whatever it believes. */
type Act =
  | { readonly type: "pass"; readonly ms: number }
  | { readonly type: "acquire" | "renew" | "release"; readonly stream: Stream; readonly owner: Owner }
  | {
      readonly type: "append"
      readonly stream: Stream
      readonly owner: Owner
      /** How far its belief about the version is off. */
      readonly off: number
      readonly events: number
      readonly command: number | undefined
    }

const stream = fc.constantFrom(...streams)
const owner = fc.constantFrom(...owners)
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("pass"), ms: fc.constantFrom(1, ttl - 1, ttl, ttl + 1) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constantFrom("acquire", "renew", "release"), stream, owner }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("append"),
      stream,
      owner,
      off: fc.constantFrom(0, 0, 0, 0, -1, 1),
      events: fc.integer({ min: 0, max: 3 }),
      command: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }),
    }),
  },
)

type Lease = { readonly owner: Owner | undefined; readonly epoch: number; readonly until: number }

/** The promises again, in the plainest words: what a journal with its leases should answer. */
class Model {
  mono = 0
  readonly versions = new Map<Stream, number>()
  readonly leases = new Map<Stream, Lease>()
  readonly results = new Map<string, number>()
  notices = 0

  acquire(stream: Stream, owner: Owner): number | undefined {
    const lease = this.leases.get(stream)
    if (lease?.owner !== undefined && lease.owner !== owner && lease.until > this.mono) return undefined
    const epoch = (lease?.epoch ?? 0) + 1
    this.leases.set(stream, { owner, epoch, until: this.mono + ttl })
    return epoch
  }

  isOf(stream: Stream, owner: Owner, epoch: number): boolean {
    const lease = this.leases.get(stream)
    return lease?.owner === owner && lease.epoch === epoch
  }

  append({ stream, expected, epoch, events, command, outbox }: Append): AppendOutcome["kind"] {
    const place = stream === "papi" ? "papi" : "web"
    const lease = this.leases.get(place)
    if (command && this.results.has(command.id)) return "duplicate"
    if (lease?.owner === undefined || lease.epoch !== epoch) return "fenced"
    if ((this.versions.get(place) ?? 0) !== expected) return "conflict"
    this.versions.set(place, expected + events.length)
    this.notices += outbox.length
    if (command) this.results.set(command.id, Number(command.result))
    return "appended"
  }
}

describe("whatever several replicas do with a journal", () => {
  it("it answers as promised, and what it holds is whole, in order and chained", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 30, maxLength: 80 }), async (acts) => {
        const model = new Model()
        const clock: Clock = { now: () => 5, mono: () => model.mono, sleep: async () => {} }
        const store = await openStore({ path: ":memory:", clock })
        try {
          const held = new Map<string, number>()
          for (const [i, act] of acts.entries()) await step(store, model, held, act, i)
          await compare(store, model)
        } finally {
          await store.close()
        }
      }),
      { numRuns: 200 },
    )
  })
})

async function step(
  store: Store,
  model: Model,
  held: Map<string, number>,
  act: Act,
  i: number,
): Promise<void> {
  if (act.type === "pass") {
    model.mono += act.ms
    return
  }
  const { stream, owner } = act
  // What this replica last held, however long ago: a paused one acts on old rights.
  const epoch = held.get(`${stream} ${owner}`) ?? 0
  const lease = { key: `app/${stream}`, epoch }
  switch (act.type) {
    case "acquire": {
      const got = await store.leases.acquire(lease.key, owner, ttl)
      expect(got?.epoch).toBe(model.acquire(stream, owner))
      if (got) held.set(`${stream} ${owner}`, got.epoch)
      return
    }
    case "renew": {
      const ours = model.isOf(stream, owner, epoch)
      expect(await store.leases.renew(lease, owner, ttl)).toBe(ours)
      if (ours) model.leases.set(stream, { owner, epoch, until: model.mono + ttl })
      return
    }
    case "release":
      await store.leases.release(lease, owner)
      if (model.isOf(stream, owner, epoch)) model.leases.set(stream, { owner: undefined, epoch, until: 0 })
      return
    case "append": {
      const append: Append = {
        stream,
        expected: Math.max(0, (model.versions.get(stream) ?? 0) + act.off),
        epoch,
        events: Array.from({ length: act.events }, () => ({
          at: i,
          by: owner,
          because: `act ${i}`,
          event: { type: "app-paused", reason: `act ${i}` },
        })),
        command: act.command === undefined ? undefined : { id: `c${act.command}`, result: i },
        outbox: [{ to: "t", id: `n${i}`, at: i, app: stream, type: "x", text: "", data: null }],
      }
      const outcome = await store.journal.append(append)
      expect(outcome.kind).toBe(model.append(append))
      if (outcome.kind === "duplicate")
        expect(outcome.result).toBe(model.results.get(append.command?.id ?? ""))
    }
  }
}

async function compare(store: Store, model: Model): Promise<void> {
  const feed = await store.journal.feed(0, 10_000)
  for (const stream of streams) {
    const events = await store.journal.read(stream, 0)
    expect(events.map((event) => event.version)).toEqual(
      Array.from({ length: model.versions.get(stream) ?? 0 }, (_, i) => i + 1),
    )
    expect(verifyChain(events)).toBeUndefined()
    expect(feed.filter((event) => event.stream === stream)).toEqual(events)
  }
  expect(await store.journal.outbox(0, 10_000)).toHaveLength(model.notices)
  for (const [id, result] of model.results) expect(await store.journal.commandResult(id)).toBe(result)
}
