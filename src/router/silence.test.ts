import { afterEach, describe, expect, it } from "vitest"
import { Cleanup, fetchFrom, instance, pool, routeTo, TestRouter, until } from "./router.fixture.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

const health = { path: "/health", intervalMs: 50, timeoutMs: 300, rise: 1, fall: 2 }

/** Answers with its name, until its cable is pulled: from then on it takes requests and says nothing. */
async function cuttable(name: string) {
  const cable = { isCut: false, hanging: 0, refuses: false }
  const copy = await instance(cleanup, (asked, response) => {
    if (cable.refuses && asked.url === "/health") return void response.writeHead(503).end()
    if (!cable.isCut) return void response.end(name)
    if (asked.url !== "/health") cable.hanging += 1
    return undefined
  })
  return { ...copy, cable }
}

describe("an instance that falls silent", () => {
  it("loses the reads that wait there to another one; what changes something waits on and is asked once", async () => {
    const [near, far] = [await cuttable("near"), await cuttable("far")]
    const router = await TestRouter.open(cleanup)
    await router.route(routeTo([pool("r1", 100, near, far)], { health }))
    const address = await router.address()
    await until("both to be let in", async () => {
      const bodies = await Promise.all(
        Array.from({ length: 20 }, async () => (await fetchFrom(address)).body),
      )
      return new Set(bodies).size === 2 || undefined
    })
    far.cable.isCut = true
    const writes = Array.from({ length: 12 }, () =>
      fetchFrom(address, { method: "POST", path: "/order", body: "x" }),
    )
    const reads = Array.from({ length: 12 }, () => fetchFrom(address, { path: "/item" }))
    const answered: string[] = []
    for (const write of writes) void write.then(({ body }) => answered.push(body)).catch(() => undefined)
    const bodies = await Promise.all(reads)
    expect(bodies.map(({ status }) => status)).toEqual(reads.map(() => 200))
    expect(bodies.every(({ body }) => body === "near")).toBe(true)
    const orders = far.seen.filter(({ url }) => url === "/order").length
    expect(orders).toBeGreaterThan(0)
    await until("the other orders", () => answered.length === writes.length - orders || undefined)
    expect(near.seen.filter(({ url }) => url === "/order").length).toBe(writes.length - orders)
  })

  it("is not one that says it is unwell: what waits there is left to it", async () => {
    const [near, far] = [await cuttable("near"), await cuttable("far")]
    const router = await TestRouter.open(cleanup)
    await router.route(routeTo([pool("r1", 100, near, far)], { health: { ...health, timeoutMs: 5_000 } }))
    const address = await router.address()
    await until("both to be let in", async () => {
      const bodies = await Promise.all(
        Array.from({ length: 20 }, async () => (await fetchFrom(address)).body),
      )
      return new Set(bodies).size === 2 || undefined
    })
    far.cable.refuses = true
    far.cable.isCut = true
    const reads = Array.from({ length: 12 }, () => fetchFrom(address, { path: "/item" }))
    let answered = 0
    for (const read of reads) void read.then(() => answered++).catch(() => undefined)
    await until("some to hang", () => far.cable.hanging > 0 || undefined)
    await until("it to be left", async () => (await fetchFrom(address)).body === "near" || undefined)
    await until("all others to be answered", () => answered === reads.length - far.cable.hanging || undefined)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(answered).toBe(reads.length - far.cable.hanging)
  })
})
