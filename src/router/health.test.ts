import { afterEach, describe, expect, it } from "vitest"
import { Instance } from "./instance.ts"
import { defaultLimits } from "./limits.ts"
import {
  Cleanup,
  fetchFrom,
  inFrontOf,
  instance,
  named,
  pool,
  routeTo,
  TestRouter,
  until,
} from "./router.fixture.ts"
import { usableOf } from "./usable.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

const health = { path: "/health", intervalMs: 50, timeoutMs: 5_000, rise: 2, fall: 3 }

/** Answers with its name; what it says of its health is up to the test. */
async function patient(name: string) {
  const says = { status: 200, asked: 0 }
  const copy = await instance(cleanup, (asked, response) => {
    if (asked.url === "/health") {
      says.asked += 1
      response.writeHead(says.status).end()
    } else response.end(name)
  })
  return { ...copy, says, users: () => copy.seen.filter(({ url }) => url !== "/health").length }
}

async function askedAgain(copy: { readonly says: { asked: number } }, times: number): Promise<void> {
  const enough = copy.says.asked + times
  await until(`${times} checks`, () => copy.says.asked >= enough || undefined)
}

describe("active health", () => {
  it("50: lets nobody near an instance before it has passed once", async () => {
    const [old, fresh] = [await patient("old"), await patient("fresh")]
    fresh.says.status = 503
    const router = await TestRouter.open(cleanup)
    await router.route(routeTo([pool("r1", 100, old, fresh)], { health }))
    const address = await router.address()
    await until(
      "the first pass of the old one",
      async () => (await fetchFrom(address)).body === "old" || undefined,
    )
    await askedAgain(fresh, 4)
    for (let n = 0; n < 20; n++) expect((await fetchFrom(address)).body).toBe("old")
    expect(fresh.users()).toBe(0)
    fresh.says.status = 200
    await until("the fresh one", async () => (await fetchFrom(address)).body === "fresh" || undefined)
  })

  it("asks nobody at all rather than one that never passed", async () => {
    const fresh = await patient("fresh")
    fresh.says.status = 500
    const router = await TestRouter.open(cleanup)
    await router.route(routeTo([pool("r1", 100, fresh)], { health }))
    const answered = await fetchFrom(await router.address())
    expect(answered).toMatchObject({ status: 503, headers: { "x-immunity-router": "no-instance" } })
    expect(fresh.users()).toBe(0)
  })

  it("takes an instance out after several bad answers in a row, not after one, and back in the same way", async () => {
    const [one, two, three] = [await patient("one"), await patient("two"), await patient("three")]
    const router = await TestRouter.open(cleanup)
    await router.route(routeTo([pool("r1", 100, one, two, three)], { health }))
    const address = await router.address()
    const bodies = async () => {
      const seen = new Set<string>()
      for (let n = 0; n < 30; n++) seen.add((await fetchFrom(address)).body)
      return seen
    }
    await until("all three", async () => (await bodies()).size === 3 || undefined)
    three.says.status = 503
    await askedAgain(three, 1)
    three.says.status = 200
    await askedAgain(three, 2)
    expect(router.log.filter((line) => line.startsWith("an instance is not well"))).toEqual([])
    three.says.status = 503
    await until("three out", async () => !(await bodies()).has("three") || undefined)
    three.says.status = 200
    await until("three back", async () => (await bodies()).has("three") || undefined)
  })

  it("counts an answer that does not come in time as a bad one", async () => {
    const well = await patient("well")
    let hangs = false
    const stuck = await instance(cleanup, (asked, response) => {
      if (asked.url !== "/health" || !hangs) response.end("stuck")
    })
    const router = await TestRouter.open(cleanup)
    const patience = { ...health, timeoutMs: 200 }
    await router.route(routeTo([pool("r1", 100, well, stuck)], { health: patience }))
    const address = await router.address()
    await until("the stuck one", async () => (await fetchFrom(address)).body === "stuck" || undefined)
    hangs = true
    await until(
      "it is out",
      () => router.log.some((line) => line.includes('"r1-1"') && line.includes("not well")) || undefined,
    )
    for (let n = 0; n < 20; n++) expect((await fetchFrom(address)).body).toBe("well")
  })

  it("52: of the last pool that mostly fails asks all, but sends nobody of it to the canary", async () => {
    const [one, two, canary] = [await patient("one"), await patient("two"), await patient("canary")]
    const router = await TestRouter.open(cleanup)
    await router.route(routeTo([pool("r6", 100, one, two), pool("r7", 0, canary)], { stable: "r6", health }))
    const address = await router.address()
    await until("first passes", async () => {
      await fetchFrom(address)
      return one.users() * two.users() > 0 || undefined
    })
    one.says.status = 503
    two.says.status = 503
    await until(
      "both are marked",
      () => router.log.filter((line) => line.includes("not well")).length >= 2 || undefined,
    )
    const [ofOne, ofTwo] = [one.users(), two.users()]
    for (let n = 0; n < 40; n++) expect(["one", "two"]).toContain((await fetchFrom(address)).body)
    expect(one.users()).toBeGreaterThan(ofOne)
    expect(two.users()).toBeGreaterThan(ofTwo)
    expect(canary.users()).toBe(0)
  })

  it("53: users of a canary that fails go to the stable pool, and that is counted for whoever judges", async () => {
    const [stable, canary] = [await patient("stable"), await patient("canary")]
    const router = await TestRouter.open(cleanup)
    await router.route(routeTo([pool("r7", 100, canary), pool("r6", 0, stable)], { stable: "r6", health }))
    const address = await router.address()
    await until("the canary", async () => (await fetchFrom(address)).body === "canary" || undefined)
    canary.says.status = 503
    await until("the stable one", async () => (await fetchFrom(address)).body === "stable" || undefined)
    const before = (await router.stats()).routes["papi/prod"]?.fellBack.r7 ?? 0
    for (let n = 0; n < 5; n++) expect((await fetchFrom(address)).body).toBe("stable")
    expect((await router.stats()).routes["papi/prod"]?.fellBack).toEqual({ r7: before + 5 })
  })

  it("after a restart goes on with who served before: nobody waits for a first check", async () => {
    const slow = await instance(cleanup, (asked, response) => {
      if (asked.url !== "/health" || slowly === 0) response.end("here")
    })
    let slowly = 0
    const router = await TestRouter.open(cleanup)
    await router.route(routeTo([pool("r1", 100, slow)], { health }))
    const address = await router.address()
    await until("the first pass", async () => (await fetchFrom(address)).status === 200 || undefined)
    slowly = 1
    await router.kill()
    await router.start()
    expect((await fetchFrom(address)).body).toBe("here")
  })
})

describe("passive health", () => {
  it("51: leaves one that answers 5xx five times in a row alone, where that is wanted", async () => {
    const well = await named(cleanup, "well")
    const ill = await instance(cleanup, (_, response) => response.writeHead(500).end("ill"))
    const { router, address } = await inFrontOf(cleanup, [well, ill], { ejectAfter5xx: 5, ejection: 60_000 })
    await until("ejection", async () => {
      await fetchFrom(address)
      return (await router.state()).instances["r1-1"]?.ejected || undefined
    })
    expect(ill.seen).toHaveLength(5)
    for (let n = 0; n < 20; n++) expect((await fetchFrom(address)).body).toBe("well")
  })

  it("51: leaves at most a tenth of a pool alone, at least one", () => {
    const member = (at: number, bad: boolean) => {
      const one = new Instance(`r1-${at}`, "127.0.0.1:9", defaultLimits)
      for (let n = 0; bad && n < defaultLimits.ejectAfter; n++) one.passive.unreachable(0, defaultLimits)
      return { instance: one }
    }
    const usable = (size: number, bad: number) => {
      const all = Array.from({ length: size }, (_, at) => member(at, at < bad))
      return usableOf(all, all, true, 1).length
    }
    expect(usable(2, 1)).toBe(1)
    expect(usable(2, 2)).toBe(1)
    expect(usable(20, 1)).toBe(19)
    expect(usable(20, 20)).toBe(18)
    expect(usable(1, 1)).toBe(1)
  })

  it("51: leaves one alone longer each time, and forgives after as long a time of good answers", () => {
    const limits = { ...defaultLimits, ejectAfter5xx: 1, ejection: 100 }
    const { passive } = new Instance("r1-0", "127.0.0.1:9", limits)
    const until = (from: number) => {
      let now = from
      while (passive.isEjected(now)) now += 1
      return now - from
    }
    passive.answered(true, 0, limits)
    expect(until(0)).toBe(100)
    passive.answered(true, 100, limits)
    expect(until(100)).toBe(200)
    passive.answered(false, 400, limits)
    passive.answered(true, 450, limits)
    expect(until(450)).toBe(300)
    passive.answered(false, 2_000, limits)
    passive.answered(true, 2_001, limits)
    expect(until(2_001)).toBe(100)
  })
})
