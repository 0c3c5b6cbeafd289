import { describe, expect, it } from "vitest"
import type { Clock } from "../ports/clock.ts"
import { StoreDamaged, StoreFailed } from "../store/errors.ts"
import type { StoreHealth } from "../store/store.ts"
import { keepHouse } from "./housekeeping.ts"

const MiB = 1024 * 1024
const well: StoreHealth = {
  readOnly: false,
  damage: undefined,
  schema: 1,
  diskFree: 10_000 * MiB,
  ballast: "kept",
  deadLetters: 0,
}

/** A clock whose sleeps end when the test says so. */
function handClock(): { readonly clock: Clock; readonly tick: () => Promise<void> } {
  const asleep: (() => void)[] = []
  let now = 20 * 86_400_000
  const clock: Clock = {
    now: () => now,
    mono: () => now,
    sleep: (_, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve()
        asleep.push(resolve)
        signal?.addEventListener("abort", () => resolve())
      }),
  }
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  return {
    clock,
    async tick() {
      await settled()
      now += 5_000
      for (const wake of asleep.splice(0)) wake()
      await settled()
    },
  }
}

const audit = async () => {}
const log = { info: () => {}, warn: () => {}, error: () => {} }

describe("housekeeping", () => {
  it("says when the disk has too little room, and when it has room again", async () => {
    const { clock, tick } = handClock()
    const ending = new AbortController()
    let health: StoreHealth = { ...well, diskFree: 3 * MiB }
    const store = { health: async () => health, pruneIntervals: async () => 0, audit }
    const house = keepHouse(store, clock, log, ending.signal, () => {})
    await tick()
    expect(house.room()).toContain("has 3 MiB left: nothing new is built or started")
    health = well
    await tick()
    expect(house.room()).toBeUndefined()
    health = { ...well, ballast: "spent" }
    await tick()
    expect(house.room()).toContain("start the control plane again")
    ending.abort()
    await house.finished
  })

  it("forgets intervals older than two weeks", async () => {
    const { clock, tick } = handClock()
    const ending = new AbortController()
    const before: number[] = []
    const store = { health: async () => well, pruneIntervals: async (at: number) => before.push(at), audit }
    const house = keepHouse(store, clock, log, ending.signal, () => {})
    await tick()
    await tick()
    expect(before).toEqual([6 * 86_400_000])
    ending.abort()
    await house.finished
  })

  it("ends the process when the disk failed under the store, whatever it was doing", async () => {
    const { clock } = handClock()
    const failure = new StoreFailed("immunity.db", "an input/output error")
    const store = { health: () => Promise.reject(failure), pruneIntervals: async () => 0, audit }
    const gone: unknown[] = []
    await keepHouse(store, clock, log, new AbortController().signal, (error) => gone.push(error)).finished
    expect(gone).toEqual([failure])
  })

  it("ends the process when what was written long ago turns out to be changed, page by page", async () => {
    const { clock, tick } = handClock()
    const damage = new StoreDamaged("immunity.db", { stream: "papi", version: 3, because: "it was changed" })
    let pages = 0
    const store = {
      health: async () => well,
      pruneIntervals: async () => 0,
      audit: async (pause: () => Promise<void>) => {
        for (; pages < 2; pages++) await pause()
        throw damage
      },
    }
    const gone: unknown[] = []
    const house = keepHouse(store, clock, log, new AbortController().signal, (error) => gone.push(error))
    await tick()
    expect([pages, gone]).toEqual([1, []])
    await tick()
    await house.finished
    expect([pages, gone]).toEqual([2, [damage]])
  })
})
