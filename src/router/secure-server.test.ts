import { once } from "node:events"
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect, type TLSSocket } from "node:tls"
import { afterEach, describe, expect, it } from "vitest"
import { first, second } from "./certificates.fixture.ts"
import {
  Cleanup,
  inFrontOf,
  instance,
  pool,
  rawClient,
  routeTo,
  TestRouter,
  until,
} from "./router.fixture.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

async function place(file: string, content: string): Promise<void> {
  await writeFile(`${file}.new`, content)
  await rename(`${file}.new`, file)
}

async function secureRouter(workers = 0) {
  const dir = await mkdtemp(join(tmpdir(), "router-tls-"))
  cleanup.add(() => rm(dir, { recursive: true, force: true }))
  const tls = { cert: join(dir, "cert.pem"), key: join(dir, "key.pem") }
  await place(tls.cert, first.cert)
  await place(tls.key, first.key)
  const echo = await instance(cleanup, (asked, response) =>
    response.end(`${asked.headers["x-forwarded-proto"]} ${asked.url}`),
  )
  return { ...(await inFrontOf(cleanup, [echo], {}, { tls, workers })), tls, echo }
}

type Client = {
  readonly socket: TLSSocket
  readonly name: string
  readonly ask: (path: string) => Promise<string>
}

async function secureClient(address: string): Promise<Client> {
  const [host = "", port] = address.split(":")
  const socket = connect({
    host,
    port: Number(port),
    rejectUnauthorized: false,
    ALPNProtocols: ["h2", "http/1.1"],
  })
  cleanup.add(() => socket.destroy())
  let text = ""
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk
  })
  socket.on("error", () => undefined)
  await once(socket, "secureConnect")
  const { CN } = socket.getPeerCertificate().subject
  const ask = async (path: string) => {
    text = ""
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    return until(`the answer to ${path}`, () => (text.endsWith(path) ? text : undefined))
  }
  return { socket, name: String(CN), ask }
}

const nameAt = async (address: string): Promise<string> => {
  const client = await secureClient(address)
  client.socket.destroy()
  return client.name
}

describe("clients over TLS", () => {
  it("are answered, and the instance is told how they came", async () => {
    const { address } = await secureRouter()
    const client = await secureClient(address)
    expect(client.socket.alpnProtocol).toBe("http/1.1")
    expect(await client.ask("/a")).toContain("https /a")
    expect(await client.ask("/b")).toContain("https /b")
  })

  it("who speak plainly are cut off, and disturb nobody", async () => {
    const { address } = await secureRouter()
    const plain = rawClient(cleanup, address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await plain.over
    expect(plain.text()).not.toContain("HTTP/1.1 200")
    expect(await (await secureClient(address)).ask("/a")).toContain("https /a")
  })

  for (const workers of [0, 2])
    it(`stay outside: a route inside the server speaks plainly beside it, and changes to that (${workers} workers)`, async () => {
      const { router, echo, address } = await secureRouter(workers)
      const outside = routeTo([pool("r1", 100, echo)])
      const inside = routeTo([pool("r1", 100, echo)], { route: "papi/preview" })
      const plainly = async () => {
        const client = rawClient(
          cleanup,
          await router.address("papi/preview"),
          "GET /in HTTP/1.1\r\nHost: a\r\n\r\n",
        )
        let isOver = false
        void client.over.then(() => {
          isOver = true
        })
        return until("an answer or the end", () =>
          isOver || client.text().endsWith("/in") ? client.text() : undefined,
        )
      }
      await router.route(outside, inside)
      expect(await plainly()).not.toContain("HTTP/1.1 200")
      await router.route(outside, { ...inside, plain: true })
      expect(await plainly()).toContain("http /in")
      expect(await (await secureClient(address)).ask("/a")).toContain("https /a")
      await router.kill()
      await router.start()
      expect(await plainly()).toContain("http /in")
      expect(await (await secureClient(address)).ask("/a")).toContain("https /a")
    })

  for (const workers of [0, 2])
    it(`get a new certificate when its file is replaced, and open connections stay (${workers} workers)`, async () => {
      const { address, tls } = await secureRouter(workers)
      const before = await secureClient(address)
      expect(before.name).toBe("first.test")
      // One of two files first: for a moment they do not fit, and the old pair goes on.
      await place(tls.cert, second.cert)
      await new Promise((resolve) => setTimeout(resolve, 1_200))
      expect(await nameAt(address)).toBe("first.test")
      await place(tls.key, second.key)
      await until("the new one", async () => (await nameAt(address)) === "second.test" || undefined)
      expect(await before.ask("/still")).toContain("https /still")
    })

  it("cannot come when there is no certificate: the order is refused and says why", async () => {
    const router = await TestRouter.open(
      cleanup,
      {},
      { tls: { cert: "/nowhere/cert.pem", key: "/nowhere/key.pem" } },
    )
    await expect(router.route(routeTo([]))).rejects.toThrow("/nowhere/cert.pem")
  })
})
