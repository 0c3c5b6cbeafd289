import { connect } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { Cleanup, fetchFrom, named, pool, rawClient, routeTo, TestRouter, until } from "./router.fixture.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

async function routerWith(limits: { readonly [name: string]: number }) {
  const one = await named(cleanup, "one")
  const router = await TestRouter.open(cleanup, limits)
  await router.route(routeTo([pool("r1", 100, one)]))
  return { router, address: await router.address() }
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
})
