import { describe, expect, it } from "vitest"
import type { Clock } from "../ports/clock.ts"
import { StoreFailed } from "../store/errors.ts"
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
  let wake: () => void = () => {}
  let now = 20 * 86_400_000
  const clock: Clock = {
    now: () => now,
    mono: () => now,
    sleep: (_, signal) =>
      new Promise((resolve) => {
        wake = resolve
        signal?.addEventListener("abort", () => resolve())
      }),
  }
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  return {
    clock,
    async tick() {
      await settled()
      now += 5_000
      wake()
      await settled()
    },
  }
}

const log = { info: () => {}, warn: () => {}, error: () => {} }

describe("housekeeping", () => {
  it("says when the disk has too little room, and when it has room again", async () => {
    const { clock, tick } = handClock()
    const ending = new AbortController()
    let health: StoreHealth = { ...well, diskFree: 3 * MiB }
    const store = { health: async () => health, pruneIntervals: async () => 0 }
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
    const store = { health: async () => well, pruneIntervals: async (at: number) => before.push(at) }
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
    const store = { health: () => Promise.reject(failure), pruneIntervals: async () => 0 }
    const gone: unknown[] = []
    await keepHouse(store, clock, log, new AbortController().signal, (error) => gone.push(error)).finished
    expect(gone).toEqual([failure])
  })
})
