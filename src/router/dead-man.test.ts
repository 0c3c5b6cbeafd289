import { afterEach, describe, expect, it } from "vitest"
import { Cleanup, fetchFrom, named, pool, routeTo, TestRouter, until } from "./router.fixture.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

async function canaryAt(weight: number, deadMan: number | undefined) {
  const [stable, canary] = [await named(cleanup, "stable"), await named(cleanup, "canary")]
  const router = await TestRouter.open(cleanup, {}, { deadMan })
  await router.route(
    routeTo([pool("r7", weight, canary), pool("r6", 100 - weight, stable)], { stable: "r6" }),
  )
  const address = await router.address()
  const seen = async () => {
    const bodies = new Set<string>()
    for (let n = 0; n < 20; n++) bodies.add((await fetchFrom(address)).body)
    return [...bodies].sort().join(" ")
  }
  return { router, seen }
}

describe("the dead-man switch", () => {
  it("takes the canary's users back when nobody gives orders, and gives them again when somebody is heard", async () => {
    const { router, seen } = await canaryAt(50, 1_000)
    expect(await seen()).toBe("canary stable")
    await until("the switch", async () => (await seen()) === "stable" || undefined)
    expect(router.log.some((line) => line.startsWith("nobody gives orders"))).toBe(true)
    await router.state()
    await until("the canary", async () => (await seen()) === "canary stable" || undefined)
  })

  it("also after a restart without anybody who gives orders", async () => {
    const { router, seen } = await canaryAt(50, 1_000)
    await router.kill()
    await router.start()
    await until("the switch", async () => (await seen()) === "stable" || undefined)
  })

  it("does nothing while somebody looks, and nothing at all unless it is wanted", async () => {
    const watched = await canaryAt(50, 3_000)
    const free = await canaryAt(50, undefined)
    const began = performance.now()
    let [last, longest] = [began, 0]
    while (performance.now() - began < 4_500) {
      await watched.router.stats()
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    // On a machine that stood still for so long somebody did not look after all.
    if (longest < 2_000) expect(await watched.seen()).toBe("canary stable")
    expect(await free.seen()).toBe("canary stable")
  })
})
