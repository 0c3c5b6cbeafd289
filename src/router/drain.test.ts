import type { Socket } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import {
  Cleanup,
  fetchFrom,
  inFrontOf,
  instance,
  named,
  pool,
  type RawClient,
  rawClient,
  rawInstance,
  routeTo,
  TestRouter,
  until,
} from "./router.fixture.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

const never = 3_600_000

/** An instance with a slow answer, an event stream and an upgrade under way; then its weight goes away. */
async function leaving(limits: { readonly [name: string]: number }) {
  let finish = () => {}
  const old = await instance(cleanup, (asked, response) => {
    if (asked.url === "/events") {
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.write("data: 1\n\n")
    } else if (asked.url === "/slow") finish = () => response.end("at last")
    else response.end("old")
  })
  const sockets: Socket[] = []
  const chat = await rawInstance(cleanup, (socket) => {
    sockets.push(socket)
    socket.once("data", () => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
      socket.on("data", (chunk) => socket.write(chunk))
    })
  })
  const fresh = await named(cleanup, "fresh")
  const router = await TestRouter.open(cleanup, {
    drainTunnel: never,
    drainStream: never,
    drainRequest: never,
    ...limits,
  })
  const ofChat = { route: "papi/chat", listen: "127.0.0.1:0" }
  const before = [routeTo([pool("r1", 100, old)]), routeTo([pool("c1", 100, chat)], ofChat)]
  await router.route(...before)
  const [address, chatAddress] = [await router.address(), await router.address("papi/chat")]
  const slow = rawClient(cleanup, address, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
  const events = rawClient(cleanup, address, "GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
  const tunnel = rawClient(
    cleanup,
    chatAddress,
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n",
  )
  await until("the first event", () => events.text().includes("data: 1") || undefined)
  await until("the upgrade", () => tunnel.text().includes("101 ") || undefined)
  await until("the slow request", () => old.seen.some(({ url }) => url === "/slow") || undefined)
  await router.route(
    routeTo([pool("r1", 0, old), pool("r2", 100, fresh)]),
    routeTo([pool("c1", 0, chat), pool("c2", 100, fresh)], ofChat),
  )
  const seen = old.seen.length
  for (let n = 0; n < 10; n++) expect((await fetchFrom(address)).body).toBe("fresh")
  expect(old.seen).toHaveLength(seen)
  return { router, slow, events, tunnel, finish: () => finish() }
}

/** Whether what goes into the tunnel still comes back. */
async function echoes(tunnel: RawClient): Promise<void> {
  tunnel.socket.write("ping!")
  await until("the echo", () => tunnel.text().endsWith("ping!") || undefined)
}

const isOver = async (client: RawClient) =>
  (await Promise.race([client.over, Promise.resolve("open")])) !== "open"

describe("46: on an instance that has lost its weight", () => {
  it("everything under way goes on, and no new request comes", async () => {
    const { router, slow, events, tunnel, finish } = await leaving({})
    await echoes(tunnel)
    expect(await isOver(events)).toBe(false)
    finish()
    await until("the slow answer", () => slow.text().includes("at last") || undefined)
    expect((await router.state()).instances["r1-0"]?.inFlight).toBe(1)
  })

  it("E47: upgraded connections are closed when their time is over, and nothing else is", async () => {
    const { slow, events, tunnel, finish } = await leaving({ drainTunnel: 300 })
    await tunnel.over
    expect(await isOver(events)).toBe(false)
    finish()
    await until("the slow answer", () => slow.text().includes("at last") || undefined)
  })

  it("event streams are closed when their time is over, and nothing else is", async () => {
    const { slow, events, tunnel, finish } = await leaving({ drainStream: 300 })
    expect(await events.over).toBe("broken")
    await echoes(tunnel)
    finish()
    await until("the slow answer", () => slow.text().includes("at last") || undefined)
  })

  it("a slow request gets an answer from the router when its time is over", async () => {
    const { slow, events, tunnel } = await leaving({ drainRequest: 300 })
    await until("the answer", () => slow.text().includes("x-immunity-router: drained") || undefined)
    expect(slow.text()).toMatch(/^HTTP\/1\.1 503 /)
    await echoes(tunnel)
    expect(await isOver(events)).toBe(false)
  })
})

describe("a router that is asked to end", () => {
  it("tells those who wait for an answer that it is the last one on this connection", async () => {
    let finish = () => {}
    const slow = await instance(cleanup, (_, response) => {
      finish = () => response.end("at last")
    })
    const { router, address } = await inFrontOf(cleanup, [slow])
    const client = rawClient(cleanup, address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await until("the request", () => slow.seen.length > 0 || undefined)
    const ended = router.stop()
    finish()
    expect(await client.over).toBe("ended")
    expect(client.text()).toMatch(/\r\nConnection: close\r\n.*at last$/s)
    await ended
  })
})
