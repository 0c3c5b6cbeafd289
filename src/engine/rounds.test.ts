import { expect, it } from "vitest"
import { Rounds } from "./rounds.ts"

function setUp() {
  let now = 0
  const timers: { readonly at: number; readonly wake: () => void }[] = []
  const clock = {
    mono: () => now,
    sleep: (forMs: number) =>
      new Promise<void>((resolve) => void timers.push({ at: now + forMs, wake: resolve })),
  }
  const stop = new AbortController()
  const rounds = new Rounds(clock, 1_000, stop.signal)
  const awake: string[] = []
  const sleeper = (name: string, forMs: number, signal = new AbortController().signal) =>
    void rounds.sleep(forMs, signal).then(() => awake.push(name))
  const settle = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve()
    return awake
  }
  const at = (moment: number) => {
    now = moment
    for (const timer of timers.filter(({ at }) => at <= moment)) timer.wake()
    return settle()
  }
  return { timers, sleeper, at, stop, settle }
}

it("wakes those together whose time is up in the same round, none too early and none a round too late", async () => {
  const { timers, sleeper, at } = setUp()
  sleeper("a", 4_200)
  sleeper("b", 5_000)
  sleeper("c", 5_001)
  expect(timers).toHaveLength(2)
  expect(await at(4_999)).toEqual([])
  expect(await at(5_000)).toEqual(["a", "b"])
  expect(await at(6_000)).toEqual(["a", "b", "c"])
})

it("lets whoever is called wake alone, and sleep again", async () => {
  const { sleeper, at, settle } = setUp()
  const call = new AbortController()
  sleeper("a", 5_000, call.signal)
  sleeper("b", 5_000)
  call.abort()
  expect(await settle()).toEqual(["a"])
  sleeper("a again", 1_500)
  sleeper("called before", 5_000, call.signal)
  expect(await settle()).toEqual(["a", "called before"])
  expect(await at(2_000)).toEqual(["a", "called before", "a again"])
  expect(await at(5_000)).toEqual(["a", "called before", "a again", "b"])
})
