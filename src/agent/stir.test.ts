import { expect, it } from "vitest"
import { Stir } from "./stir.ts"

const day = 86_400_000
/** A clock whose sleepers wake by their signal alone. */
const asleep = {
  now: () => 0,
  mono: () => 0,
  sleep: (_forMs: number, signal?: AbortSignal) =>
    new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve())),
}
const signal = new AbortController().signal

it("whoever waits is told at once, all of them", async () => {
  const stir = new Stir(asleep)
  const waiting = Promise.all([stir.since(0, day, signal), stir.since(0, day, signal)])
  stir.now()
  await waiting
})

it("what changed before somebody waits is not missed", async () => {
  const stir = new Stir(asleep)
  const { count } = stir
  stir.now()
  await stir.since(count, day, signal)
  expect(stir.count).not.toBe(count)
})

it("nobody waits longer than they said, nor for one who has gone", async () => {
  const slept: number[] = []
  const stir = new Stir({ ...asleep, sleep: async (forMs) => void slept.push(forMs) })
  await stir.since(0, 200, signal)
  expect(slept).toEqual([200])
  const gone = new AbortController()
  const waiting = new Stir(asleep).since(0, day, gone.signal)
  gone.abort()
  await waiting
})
