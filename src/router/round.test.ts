import { afterEach, describe, expect, it } from "vitest"
import {
  Cleanup,
  fetchFrom,
  inFrontOf,
  pool,
  rawClient,
  rawInstance,
  routeTo,
  TestRouter,
  until,
} from "./router.fixture.ts"
import { type Receiver, Upstream } from "./upstream.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

const ok = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`

describe("what sockets bring in one round of the event loop", () => {
  it("keeps its order: an answer and the end of its connection, hundreds at once", async () => {
    const one = await rawInstance(cleanup, (socket) => {
      socket.once("data", () => {
        socket.write(ok("first half, "))
        socket.end()
      })
    })
    const { address } = await inFrontOf(cleanup, [one])
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(Array.from({ length: 60 }, () => fetchFrom(address)))
      expect(new Set(answers.map(({ status, body }) => `${status} ${body}`))).toEqual(
        new Set(["200 first half, "]),
      )
    }
  })

  it("32: beyond the end of an answer makes the connection unfit for another request", async () => {
    const one = await rawInstance(cleanup, () => undefined)
    const [host = "", port] = one.address.split(":")
    const upstream = new Upstream({ host, port: Number(port) }, () => undefined)
    cleanup.add(() => upstream.destroy())
    const reusable = await new Promise<boolean>((resolve, reject) => {
      const receiver: Receiver = {
        connected: () => {
          upstream.brought(Buffer.from(ok("mine")))
          upstream.brought(Buffer.from(ok("poison")))
        },
        ended: () => resolve(upstream.isReusable),
        failed: (_, because) => reject(new Error(because)),
        interim: () => undefined,
        head: () => undefined,
        content: () => undefined,
        upgraded: () => undefined,
        drained: () => undefined,
        flush: () => undefined,
      }
      upstream.use(receiver, "GET")
    })
    expect(reusable).toBe(false)
  })

  it("goes into the tunnel when it comes together with the upgrade", async () => {
    const chat = await rawInstance(cleanup, (socket) => {
      socket.once("data", () => {
        socket.write(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nwelcome ",
        )
        socket.write("early ")
        socket.on("data", (chunk) => socket.write(chunk))
        socket.on("end", () => socket.end("bye"))
      })
    })
    const router = await TestRouter.open(cleanup)
    await router.route(routeTo([pool("c1", 100, chat)]))
    const address = await router.address()
    const head = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
    const clients = Array.from({ length: 30 }, () => {
      const client = rawClient(cleanup, address, head)
      client.socket.write("ping ")
      return client
    })
    for (const client of clients) {
      await until("the echo", () => client.text().includes("ping") || undefined)
      client.socket.end()
      await until("the end", () => client.text().endsWith("bye") || undefined)
      expect(client.text().split("\r\n\r\n")[1]).toBe("welcome early ping bye")
    }
  })
})
