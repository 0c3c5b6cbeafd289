import { afterEach, describe, expect, it } from "vitest"
import { Cleanup, fetchFrom, instance, named, pool, routeTo, TestRouter, until } from "./router.fixture.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** Answers only when the test says so. */
async function slowly(name: string) {
  const waiting: (() => void)[] = []
  const copy = await instance(cleanup, (_, response) => {
    waiting.push(() => response.end(name))
  })
  return { ...copy, waiting, finish: () => waiting.splice(0).forEach((end) => void end()) }
}

async function order(router: TestRouter, generation: number, routes: readonly unknown[], pauseMs?: number) {
  const told = await router.control("PUT", "/table", { app: "papi", epoch: 1, generation, routes, pauseMs })
  expect(told).toMatchObject({ status: 200 })
}

for (const workers of [0, 2])
  describe(`a swap with a pause (${workers} workers)`, () => {
    it("lets the new release answer only after the old one has ended; nobody fails", async () => {
      const [old, fresh] = [await slowly("old"), await named(cleanup, "fresh")]
      const router = await TestRouter.open(cleanup, {}, { workers })
      await order(router, 1, [routeTo([pool("r1", 100, old)])])
      const address = await router.address()
      const under = fetchFrom(address)
      await until("the request", () => old.seen.length === 1 || undefined)
      let swapped = false
      const swap = order(router, 2, [routeTo([pool("r2", 100, fresh)])], 30_000).then(() => {
        swapped = true
      })
      await new Promise((resolve) => setTimeout(resolve, 200))
      const held = Array.from({ length: 5 }, () => fetchFrom(address, { method: "POST", body: "x" }))
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect([swapped, old.seen.length, fresh.seen.length]).toEqual([false, 1, 0])
      old.finish()
      expect((await under).body).toBe("old")
      for (const one of await Promise.all(held)) expect(one).toMatchObject({ status: 200, body: "fresh" })
      await swap
      expect(old.seen).toHaveLength(1)
    })

    it("waits no longer than it was told to", async () => {
      const [old, fresh] = [await slowly("old"), await named(cleanup, "fresh")]
      const router = await TestRouter.open(cleanup, {}, { workers })
      await order(router, 1, [routeTo([pool("r1", 100, old)])])
      const address = await router.address()
      const under = fetchFrom(address)
      await until("the request", () => old.seen.length === 1 || undefined)
      await order(router, 2, [routeTo([pool("r2", 100, fresh)])], 300)
      expect((await fetchFrom(address)).body).toBe("fresh")
      old.finish()
      expect((await under).body).toBe("old")
    })
  })

describe("those who wait for a swap", () => {
  it("are not more than the limit; who comes then is told at once", async () => {
    const [old, fresh] = [await slowly("old"), await named(cleanup, "fresh")]
    const router = await TestRouter.open(cleanup, { mostHeld: 2 })
    await order(router, 1, [routeTo([pool("r1", 100, old)])])
    const address = await router.address()
    const under = fetchFrom(address)
    await until("the request", () => old.seen.length === 1 || undefined)
    const swap = order(router, 2, [routeTo([pool("r2", 100, fresh)])], 30_000)
    await new Promise((resolve) => setTimeout(resolve, 200))
    const asked = Array.from({ length: 5 }, () => fetchFrom(address))
    await until("a refusal", async () => {
      const own = (await router.stats()).routes["papi/prod"]?.own
      return own?.paused === 3 || undefined
    })
    old.finish()
    const answers = (await Promise.all(asked)).map(({ status }) => status).sort()
    expect(answers).toEqual([200, 200, 503, 503, 503])
    await Promise.all([under, swap])
  })
})
