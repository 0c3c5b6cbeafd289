import { afterEach, expect, it } from "vitest"
import { OwnTime } from "./own-time.ts"
import { Cleanup, fetchFrom, instance, pool, routeTo, TestRouter, until } from "./router.fixture.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

it("counts what passes between two ticks, but not what the process stood still for", () => {
  const time = new OwnTime(250)
  const now = performance.now()
  const first = time.tick(now + 260)
  expect(time.tick(now + 510) - first).toBeCloseTo(250)
  const before = time.lived
  expect(time.tick(now + 60_000) - before).toBeCloseTo(500)
  expect(time.tick(now + 60_300) - before).toBeCloseTo(800)
})

it("a router that stood still for longer than an instance may take blames nobody for it", async () => {
  const slow = await instance(cleanup, (_, response) => {
    setTimeout(() => response.end("well"), 300)
  })
  const router = await TestRouter.open(cleanup, { answer: 1_000 })
  await router.route(routeTo([pool("r1", 100, slow)]))
  const asked = fetchFrom(await router.address())
  await until("the request", () => slow.seen.length === 1 || undefined)
  // Everything of this process stands still: instance, router and user.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000)
  expect(await asked).toMatchObject({ status: 200, body: "well" })
})
