import { connect, type Socket } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { Cleanup, fetchFrom, inFrontOf, named, rawClient, rawInstance, until } from "./router.fixture.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

async function routerWith(limits: { readonly [name: string]: number }) {
  return inFrontOf(cleanup, [await named(cleanup, "one")], limits)
}

const head = "GET / HTTP/1.1\r\nHost: a\r\n"

describe("clients", () => {
  it("beyond the limit of all are told so at once, and are let in when somebody has left", async () => {
    const { address } = await routerWith({ mostClients: 2 })
    const inside = [rawClient(cleanup, address, head), rawClient(cleanup, address, head)]
    const outside = rawClient(cleanup, address)
    expect(await outside.over).toBeDefined()
    expect(outside.text()).toMatch(/^HTTP\/1\.1 503 .*\r\nx-immunity-router: too-many-clients/s)
    inside[0]?.socket.destroy()
    await until(
      "a free place",
      async () => (await fetchFrom(address).catch(() => undefined))?.status === 200 || undefined,
    )
  })

  it("61: of one address have a limit of their own; others are served meanwhile", async () => {
    const { address } = await routerWith({ mostClientsPerAddress: 3 })
    const slow = Array.from({ length: 3 }, () => rawClient(cleanup, address, head))
    const fourth = rawClient(cleanup, address)
    await fourth.over
    expect(fourth.text()).toContain("x-immunity-router: too-many-clients")
    const [host = "", port] = address.split(":")
    const other = connect({ host, port: Number(port), localAddress: "127.0.0.2" })
    cleanup.add(() => other.destroy())
    let text = ""
    other.on("data", (chunk) => {
      text += String(chunk)
    })
    other.write(`${head}\r\n`)
    await until("an answer", () => text.includes("200 OK") || undefined)
    slow[0]?.socket.destroy()
    await until(
      "a free place",
      async () => (await fetchFrom(address).catch(() => undefined))?.status === 200 || undefined,
    )
  })

  it("that have left without a word are noticed, and nobody works for them any longer", async () => {
    let isEnded = false
    const held = await rawInstance(cleanup, (socket) => {
      socket.on("data", () => undefined)
      socket.on("end", () => {
        isEnded = true
      })
    })
    const { router, address } = await inFrontOf(cleanup, [held], { answer: 600_000 })
    const client = rawClient(cleanup, address, `${head}\r\n`)
    await until("the request", async () => (await router.counted("r1", "r1-0")).inFlight === 1 || undefined)
    client.socket.destroy()
    await until("its end", () => isEnded || undefined)
    expect(await router.counted("r1", "r1-0")).toMatchObject({ aborted: 1, inFlight: 0, requests: 0 })
  })

  it("that have only ended their half are asked whether they still listen, and get their answer", async () => {
    let asked: Socket | undefined
    const slow = await rawInstance(cleanup, (socket) => {
      socket.on("data", () => {
        asked = socket
      })
    })
    const { address } = await inFrontOf(cleanup, [slow])
    const client = rawClient(cleanup, address, `${head}\r\n`)
    client.socket.end()
    await until("both questions", () => client.text().split("100 Continue").length === 3 || undefined)
    asked?.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    expect(await client.over).toBe("ended")
    expect(client.text()).toMatch(/^(HTTP\/1\.1 100 Continue\r\n\r\n){2}HTTP\/1\.1 200 OK\r\n.*\r\n\r\nok$/s)
  })
})
