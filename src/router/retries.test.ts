import type { Socket } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { mayTryAgain } from "./retry.ts"
import {
  Cleanup,
  fetchFrom,
  inFrontOf,
  instance,
  named,
  nobody,
  pool,
  rawInstance,
  routeTo,
  TestRouter,
} from "./router.fixture.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** Answers each request, and closes the connection right after the answer or some time later. */
const closesAfter = (delay: number) =>
  rawInstance(cleanup, (socket) => {
    socket.on("data", (chunk) => {
      if (!chunk.includes("\r\n\r\n")) return
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
      setTimeout(() => socket.destroy(), delay)
    })
  })

/** Hears requests and dies without a word. */
async function mute() {
  const heard: string[] = []
  const one = await rawInstance(cleanup, (socket: Socket) => {
    socket.on("data", (chunk) => {
      heard.push(chunk.toString("latin1").split(" ")[0] ?? "")
      socket.destroy()
    })
  })
  return { address: one.address, heard }
}

describe("an instance that dies before it answers", () => {
  it.each(["GET", "POST"])(
    "26, 27: a %s that was sent on a new connection is never sent again",
    async (method) => {
      const one = await mute()
      const two = await mute()
      const { router, address } = await inFrontOf(cleanup, [one, two])
      const answered = await fetchFrom(address, { method, body: method === "POST" ? "x" : "" })
      expect(answered).toMatchObject({ status: 502, headers: { "x-immunity-router": "reset" } })
      expect(one.heard.length + two.heard.length).toBe(1)
      const [a, b] = [await router.counted("r1", "r1-0"), await router.counted("r1", "r1-1")]
      expect(a.errors.reset + b.errors.reset).toBe(1)
      expect(a.requests + b.requests).toBe(1)
    },
  )

  it("28: connections that it closed meanwhile fail nobody, neither GET nor POST", async () => {
    for (const delay of [0, 1, 5]) {
      const { router, address } = await inFrontOf(cleanup, [await closesAfter(delay)])
      for (let n = 0; n < 20; n++) {
        expect((await fetchFrom(address)).status).toBe(200)
        expect((await fetchFrom(address, { method: "POST", body: "x" })).status).toBe(200)
        await new Promise((resolve) => setTimeout(resolve, n % 3))
      }
      expect(await router.counted("r1", "r1-0")).toMatchObject({
        requests: 40,
        errors: { reset: 0, connect: 0 },
      })
    }
  })

  it("while its connection rests is asked once more on a new one; that is counted apart", async () => {
    let connections = 0
    const one = await rawInstance(cleanup, (socket) => {
      connections += 1
      let requests = 0
      socket.on("data", () => {
        requests += 1
        if (requests === 1) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        else socket.destroy()
      })
    })
    const { router, address } = await inFrontOf(cleanup, [one])
    for (let n = 0; n < 10; n++) expect((await fetchFrom(address)).status).toBe(200)
    expect(connections).toBeGreaterThan(4)
    const counted = await router.counted("r1", "r1-0")
    expect(counted).toMatchObject({ requests: 10, errors: { reset: 0 } })
    expect(counted.replayed).toBe(connections - 1)
  })
})

describe("an instance that cannot be reached", () => {
  it("fails nobody while another one of its pool can be, also requests with a body", async () => {
    const one = await named(cleanup, "one")
    const { address } = await inFrontOf(cleanup, [{ address: await nobody() }, one])
    for (let n = 0; n < 20; n++) {
      expect((await fetchFrom(address)).body).toBe("one")
      expect((await fetchFrom(address, { method: "POST", body: "x".repeat(100_000) })).body).toBe("one")
    }
  })

  it("51: is left alone for a while after five failures in a row, and then tried again", async () => {
    const one = await named(cleanup, "one")
    const two = await named(cleanup, "two")
    await two.close()
    const { router, address } = await inFrontOf(cleanup, [one, two], { ejection: 400 })
    const failures = async () => (await router.counted("r1", "r1-1")).errors.connect
    while ((await failures()) < 5) expect((await fetchFrom(address)).body).toBe("one")
    expect((await router.state()).instances["r1-1"]?.ejected).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect((await router.state()).instances["r1-1"]?.ejected).toBe(false)
    while ((await failures()) < 6) expect((await fetchFrom(address)).body).toBe("one")
  })

  it("is never given up when it is the last of its pool, and the answer says whose fault it is", async () => {
    const { router, address } = await inFrontOf(cleanup, [{ address: await nobody() }])
    for (let n = 0; n < 8; n++) {
      const answered = await fetchFrom(address)
      expect(answered).toMatchObject({
        status: 502,
        headers: { "x-immunity-router": "connect", "x-immunity-pool": "r1" },
      })
    }
    expect(await router.counted("r1", "r1-0")).toMatchObject({ requests: 8, errors: { connect: 8 } })
  })
})

describe("a pool with nobody usable", () => {
  it("53: hands its users to the stable pool, and what went wrong is counted as its own", async () => {
    const stable = await named(cleanup, "stable")
    const router = await TestRouter.open(cleanup)
    const address = await router
      .route(routeTo([pool("r7", 100, { address: await nobody() }), pool("r6", 0, stable)], { stable: "r6" }))
      .then(() => router.address())
    for (let n = 0; n < 5; n++) expect((await fetchFrom(address)).body).toBe("stable")
    expect(await router.counted("r7", "r7-0")).toMatchObject({ requests: 5, errors: { connect: 5 } })
    expect(await router.counted("r6", "r6-0")).toMatchObject({ requests: 5, status: { "2xx": 5 } })
    await router.route(routeTo([pool("r7", 100), pool("r6", 0, stable)], { stable: "r6" }))
    expect((await fetchFrom(address)).body).toBe("stable")
  })

  it("52: never sends the users of the stable pool to a canary", async () => {
    const canary = await named(cleanup, "canary")
    const router = await TestRouter.open(cleanup)
    await router.route(routeTo([pool("r6", 100), pool("r7", 0, canary)], { stable: "r6" }))
    const answered = await fetchFrom(await router.address())
    expect(answered).toMatchObject({
      status: 503,
      headers: { "x-immunity-router": "no-instance", "retry-after": "1" },
    })
    await router.route(
      routeTo([pool("r6", 100, { address: await nobody() }), pool("r7", 0, canary)], { stable: "r6" }),
    )
    expect((await fetchFrom(await router.address())).status).toBe(502)
    expect(canary.seen).toHaveLength(0)
  })

  it("answers for itself when the route has no pool at all", async () => {
    const router = await TestRouter.open(cleanup)
    await router.route(routeTo([]))
    expect(await fetchFrom(await router.address())).toMatchObject({ status: 503 })
  })

  it("54: answers at once when all have too much to do", async () => {
    const slow = await instance(cleanup, () => undefined)
    const { router, address } = await inFrontOf(cleanup, [slow], { mostInFlight: 2 })
    const waiting = [fetchFrom(address), fetchFrom(address)].map((one) => one.catch(() => undefined))
    while (slow.seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await fetchFrom(address)).toMatchObject({
      status: 503,
      headers: { "x-immunity-router": "full", "retry-after": "1" },
    })
    await router.kill()
    await Promise.all(waiting)
  })
})

describe("a second try", () => {
  const sent = {
    failure: "reset",
    attempts: 1,
    wasReused: true,
    sawBytes: false,
    isSafe: true,
    bodyStarted: false,
    replays: 0,
    underWay: 100,
  } as const

  it("is for safe requests under which a reused connection died without a byte of an answer", () => {
    expect(mayTryAgain(sent)).toBe(true)
    expect(mayTryAgain({ ...sent, isSafe: false })).toBe(false)
    expect(mayTryAgain({ ...sent, wasReused: false })).toBe(false)
    expect(mayTryAgain({ ...sent, sawBytes: true })).toBe(false)
    expect(mayTryAgain({ ...sent, failure: "bad-response" })).toBe(false)
  })

  it("is for every request that was never sent, at most twice", () => {
    const unsent = { ...sent, failure: "connect", isSafe: false, wasReused: false } as const
    expect(mayTryAgain({ ...unsent, attempts: 2 })).toBe(true)
    expect(mayTryAgain({ ...unsent, attempts: 3 })).toBe(false)
    expect(mayTryAgain({ ...unsent, bodyStarted: true })).toBe(false)
  })

  it("58: is refused while a fifth of all requests are second tries", () => {
    expect(mayTryAgain({ ...sent, replays: 19 })).toBe(true)
    expect(mayTryAgain({ ...sent, replays: 20 })).toBe(false)
    expect(mayTryAgain({ ...sent, replays: 9, underWay: 1 })).toBe(true)
    expect(mayTryAgain({ ...sent, replays: 10, underWay: 1 })).toBe(false)
  })
})
