import { afterEach, describe, expect, it } from "vitest"
import {
  Cleanup,
  inFrontOf,
  instance,
  pool,
  rawClient,
  rawInstance,
  routeTo,
  until,
} from "./router.fixture.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

const ask = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
const agreed = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

/** Agrees to every upgrade, says hello in the same breath, echoes, and says goodbye at the end. */
const echo = () =>
  rawInstance(cleanup, (socket) => {
    socket.once("data", (head) => {
      const end = head.indexOf("\r\n\r\n") + 4
      socket.write(`${agreed}hello|`)
      socket.write(head.subarray(end))
      socket.on("data", (chunk) => socket.write(chunk))
      socket.on("end", () => socket.end("|bye"))
    })
  })

describe("an upgraded connection", () => {
  it("carries bytes both ways, early ones too, and each way ends for itself", async () => {
    const { router, address } = await inFrontOf(cleanup, [await echo()])
    const client = rawClient(cleanup, address, `${ask}early|`)
    await until("the echo", () => client.text().endsWith("hello|early|") || undefined)
    expect(client.text().startsWith(agreed)).toBe(true)
    expect((await router.state()).instances["r1-0"]?.inFlight).toBe(1)
    client.socket.end("last")
    expect(await client.over).toBe("ended")
    expect(client.text().endsWith("hello|early|last|bye")).toBe(true)
    await until("its end", async () => (await router.counted("r1", "r1-0")).inFlight === 0 || undefined)
    expect(await router.counted("r1", "r1-0")).toMatchObject({ requests: 1, status: { "1xx": 1 } })
  })

  it("holds its instance until the deadline, then it is closed and the instance released", async () => {
    const one = await echo()
    const { router, address } = await inFrontOf(cleanup, [one])
    const client = rawClient(cleanup, address, ask)
    await until("the tunnel", () => client.text().includes("hello|") || undefined)
    await router.route(routeTo([pool("r2", 100, one), pool("r1", 0, one)]))
    expect((await router.release("r1-0", 60_000)).body).toEqual({ released: false, weight: 0, inFlight: 1 })
    client.socket.write("still here")
    await until("the echo", () => client.text().includes("still here") || undefined)
    await until("the release", async () => {
      const { body } = await router.release("r1-0", 200)
      return (body as { released: boolean }).released || undefined
    })
    await client.over
  })

  it("that the instance does not want is a request like others", async () => {
    const one = await instance(cleanup, (asked, response) => response.end(`<${asked.url}>`))
    const { address } = await inFrontOf(cleanup, [one])
    const client = rawClient(
      cleanup,
      address,
      `${ask}GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    )
    expect(await client.over).toBe("ended")
    expect(client.text().match(/<[^>]+>/g)).toEqual(["</ws>", "</next>"])
  })

  it("that is silent for too long is closed", async () => {
    const { router, address } = await inFrontOf(cleanup, [await echo()], { tunnel: 200 })
    const client = rawClient(cleanup, address, ask)
    await client.over
    await until("its end", async () => (await router.counted("r1", "r1-0")).inFlight === 0 || undefined)
  })
})
