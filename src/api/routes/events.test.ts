import { expect, it } from "vitest"
import { openStore, type Store } from "../../store/store.ts"
import type { ApiParts } from "../parts.ts"
import { createApi } from "../server.ts"

const clock = { now: () => 1_700_000_000_000, mono: () => 0, sleep: async () => undefined }

/** A journal with these reasons in it, one event each. */
async function journalOf(reasons: readonly string[]): Promise<Store> {
  const store = await openStore({ path: ":memory:", clock })
  const lease = await store.leases.acquire("app/papi", "one", 8_000)
  const events = reasons.map((reason) => {
    return { at: 1, by: "eva", because: reason, event: { type: "app-paused", reason } } as const
  })
  await store.journal.append({ stream: "papi", expected: 0, epoch: lease?.epoch ?? 0, events, outbox: [] })
  return store
}

/** What somebody is told first who had heard up to `after`. */
async function told({ journal }: Store, after: string, events: number): Promise<readonly string[]> {
  const parts = {
    clock,
    ready: Promise.resolve(),
    token: "t",
    journal,
    engine: { listen: () => () => undefined },
    killSwitch: { because: () => [] },
    log: { warn: () => undefined },
  }
  const api = await createApi(parts as unknown as ApiParts)
  const address = await api.listen({ host: "127.0.0.1", port: 0 })
  const leave = new AbortController()
  const answer = await fetch(`${address}/v1/events`, {
    headers: { "last-event-id": after },
    signal: leave.signal,
  })
  let text = ""
  for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk
    if (text.split("\n\n").length > events + 1) break
  }
  leave.abort()
  await api.close()
  return text.split("\n\n").slice(1, -1)
}

it("lets whoever comes while the store is away come again, instead of hearing nothing", async () => {
  const store = await journalOf(["a"])
  const away = { ...store, journal: { ...store.journal, end: () => Promise.reject(new Error("no answer")) } }
  await expect(told(away, "1", 1)).rejects.toThrow(/terminated|fetch failed/)
  await store.close()
})

it("goes on after what was heard last", async () => {
  const store = await journalOf(["a", "b", "c"])
  const [, second] = await store.journal.feed(0, 3)
  for (const after of ["2", `2-${second?.hash.slice(0, 12)}`])
    expect(await told(store, after, 1)).toEqual([
      expect.stringMatching(/^id: 3-[0-9a-f]{12}\nevent: app-paused\n/),
    ])
  await store.close()
})

it("tells whoever heard what is lost, from a number that was not given out yet or was given out again, to read anew", async () => {
  const lost = await journalOf(["a", "b", "of another time"])
  const id = `3-${(await lost.journal.feed(2, 1))[0]?.hash.slice(0, 12)}`
  const store = await journalOf(["a", "b", "c", "d"])
  for (const after of [id, "9", `9-${"0".repeat(12)}`]) {
    const [first] = await told(store, after, 1)
    expect(first).toMatch(/^id: 4-[0-9a-f]{12}\nevent: reset\ndata: .*went back in time/)
  }
  await lost.close()
  await store.close()
})
