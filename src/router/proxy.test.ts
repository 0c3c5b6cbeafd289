import { randomBytes } from "node:crypto"
import { Agent, request } from "node:http"
import { afterEach, describe, expect, it } from "vitest"
import {
  Cleanup,
  canned,
  fetchFrom,
  inFrontOf,
  instance,
  named,
  rawClient,
  rawInstance,
  until,
} from "./router.fixture.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

const get = (path = "/", more = "") => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`

describe("a request through the router", () => {
  it("reaches an instance and its answer comes back; both connections are kept", async () => {
    const one = await instance(cleanup, (asked, response) => {
      response.setHeader("X-Seen", `${asked.method} ${asked.url} ${asked.headers["x-forwarded-for"]}`)
      response.end("hello")
    })
    const { address } = await inFrontOf(cleanup, [one])
    const [host, port] = address.split(":")
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    cleanup.add(() => agent.destroy())
    for (let n = 0; n < 20; n++) {
      const body = await new Promise<string>((resolve, reject) => {
        const asked = request({ host, port, path: `/${n}`, agent }, (answer) => {
          expect(answer.headers["x-seen"]).toBe(`GET /${n} 127.0.0.1`)
          expect(answer.headers["x-immunity-pool"]).toBeUndefined()
          answer.on("data", (chunk) => resolve(String(chunk)))
        })
        asked.on("error", reject).end()
      })
      expect(body).toBe("hello")
    }
    expect(one.opened()).toBe(1)
  })

  it("carries bodies of a known length and in chunks, both ways, unchanged", async () => {
    const one = await instance(cleanup, (asked, response) => {
      if (asked.url === "/length") response.setHeader("Content-Length", asked.headers["content-length"] ?? "")
      asked.pipe(response)
    })
    const { address } = await inFrontOf(cleanup, [one])
    const body = randomBytes(3_000_000)
    const expected = body.toString("latin1")
    const sized = await fetchFrom(address, {
      method: "POST",
      path: "/length",
      body,
      headers: { "content-length": String(body.length) },
    })
    expect(sized.headers["content-length"]).toBe(String(body.length))
    expect(sized.body === expected).toBe(true)
    const chunked = await fetchFrom(address, {
      method: "PUT",
      body,
      headers: { "transfer-encoding": "chunked" },
    })
    expect(chunked.headers["transfer-encoding"]).toBe("chunked")
    expect(chunked.body === expected).toBe(true)
  })

  it("passes the fields after a chunked answer on", async () => {
    const one = await canned(
      cleanup,
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n",
    )
    const { address } = await inFrontOf(cleanup, [one])
    const client = rawClient(cleanup, address, get("/", "Connection: close\r\n"))
    await client.over
    expect(client.text()).toMatch(/\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n$/)
  })

  it("without a body in the answer leaves the connection usable: HEAD, 204, 304", async () => {
    const one = await instance(cleanup, (asked, response) => {
      response.statusCode = Number(asked.url?.slice(1))
      response.end(response.statusCode === 200 ? "hello" : undefined)
    })
    const { address } = await inFrontOf(cleanup, [one])
    const head = "HEAD /200 HTTP/1.1\r\nHost: x\r\n\r\n"
    const client = rawClient(
      cleanup,
      address,
      head + get("/204") + get("/304") + get("/200", "Connection: close\r\n"),
    )
    expect(await client.over).toBe("ended")
    expect(client.text().match(/HTTP\/1.1 \d+/g)).toEqual([
      "HTTP/1.1 200",
      "HTTP/1.1 204",
      "HTTP/1.1 304",
      "HTTP/1.1 200",
    ])
    expect(client.text().match(/hello/g)).toHaveLength(1)
  })

  it("that is one of many in a row is answered in order, also when the first takes longest", async () => {
    const one = await instance(cleanup, (asked, response) => {
      setTimeout(() => response.end(`<${asked.url}>`), asked.url === "/0" ? 100 : 0)
    })
    const { address } = await inFrontOf(cleanup, [one])
    const paths = Array.from({ length: 10 }, (_, n) => `/${n}`)
    const client = rawClient(cleanup, address, paths.map((path) => get(path)).join(""))
    await until("all answers", () => client.text().includes("</9>") || undefined)
    expect(client.text().match(/<[^>]+>/g)).toEqual(paths.map((path) => `<${path}>`))
  })

  it("whose client ends its half of the connection is answered all the same", async () => {
    const one = await instance(cleanup, (asked, response) => {
      setTimeout(() => response.end(`<${asked.url}>`), 50)
    })
    const { address } = await inFrontOf(cleanup, [one])
    const client = rawClient(cleanup, address)
    client.socket.end(get("/a") + get("/b"))
    expect(await client.over).toBe("ended")
    expect(client.text().match(/<[^>]+>/g)).toEqual(["</a>", "</b>"])
  })

  it("that waits for 100-continue gets it from the instance", async () => {
    const one = await instance(cleanup, (asked, response) => {
      asked.pipe(response)
    })
    const { address } = await inFrontOf(cleanup, [one])
    const client = rawClient(
      cleanup,
      address,
      "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    )
    await until("100", () => client.text().startsWith("HTTP/1.1 100 Continue\r\n\r\n") || undefined)
    client.socket.write("hello")
    await until("the echo", () => client.text().includes("hello") || undefined)
  })

  it("gets early hints before the answer", async () => {
    const one = await canned(
      cleanup,
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    )
    const { address } = await inFrontOf(cleanup, [one])
    const client = rawClient(cleanup, address, get("/", "Connection: close\r\n"))
    await client.over
    expect(client.text()).toMatch(/^HTTP\/1.1 103 Early Hints\r\nLink: <\/a>\r\n\r\nHTTP\/1.1 200 OK\r\n/)
  })

  it("of HTTP/1.0 gets no chunks, and its connection ends with the answer", async () => {
    const one = await instance(cleanup, (_, response) => {
      response.write("hel")
      response.end("lo")
    })
    const { address } = await inFrontOf(cleanup, [one])
    const client = rawClient(cleanup, address, "GET / HTTP/1.0\r\n\r\n")
    expect(await client.over).toBe("ended")
    expect(client.text()).toMatch(/^HTTP\/1.1 200 OK\r\n[\s\S]*\r\n\r\nhello$/)
    expect(client.text()).not.toMatch(/transfer-encoding/i)
  })

  it("whose answer ends with the connection is told the end in chunks", async () => {
    const one = await canned(cleanup, "HTTP/1.1 200 OK\r\n\r\nhello", true)
    const { address } = await inFrontOf(cleanup, [one])
    expect((await fetchFrom(address)).body).toBe("hello")
  })
})

describe("a message that breaks", () => {
  it.each([
    ["29 of a known length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"],
    ["30 in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"],
    ["30 in the middle of a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhello"],
    ["31 with a broken chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX"],
  ])("is never shown as a whole one: %s", async (_, answer) => {
    const one = await canned(cleanup, answer, true)
    const { router, address } = await inFrontOf(cleanup, [one])
    await expect(fetchFrom(address)).rejects.toThrow()
    const client = rawClient(cleanup, address, get())
    expect(await client.over).toBe("broken")
    expect(client.text()).not.toContain("\r\n0\r\n")
    const { requests, errors, status } = await router.counted("r1", "r1-0")
    expect({ requests, reset: errors.reset, ok: status["2xx"] }).toEqual({ requests: 2, reset: 2, ok: 2 })
  })

  it.each([
    ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"],
    ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello"],
    ["HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"],
    ["hello world, this is not HTTP\r\n\r\n"],
    ["HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"],
  ])("from an instance is answered by the router: %j", async (answer) => {
    const one = await canned(cleanup, answer)
    const { address } = await inFrontOf(cleanup, [one])
    const answered = await fetchFrom(address)
    expect(answered.status).toBe(502)
    expect(answered.headers["x-immunity-router"]).toBe("bad-response")
    expect(answered.headers["x-immunity-pool"]).toBe("r1")
  })

  it("leaves nothing behind for the next client: bytes after the end are thrown away", async () => {
    const one = await canned(
      cleanup,
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    )
    const { address } = await inFrontOf(cleanup, [one])
    for (let n = 0; n < 5; n++) expect((await fetchFrom(address)).body).toBe("hi")
  })

  it("from a client is refused, and nothing of it reaches an instance", async () => {
    const one = await named(cleanup, "one")
    const { router, address } = await inFrontOf(cleanup, [one])
    const client = rawClient(
      cleanup,
      address,
      `GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n${get("/smuggled")}`,
    )
    expect(await client.over).toBe("ended")
    expect(client.text()).toMatch(/^HTTP\/1.1 400 Bad Request\r\n[\s\S]*x-immunity-router: bad-request/)
    expect(one.seen).toHaveLength(0)
    expect((await router.stats()).routes["papi/prod"]?.own).toEqual({ "bad-request": 1 })
  })

  it("of a client with a broken chunk ends the request, and is not the instance's fault", async () => {
    const one = await instance(cleanup, (asked) => asked.resume())
    const { router, address } = await inFrontOf(cleanup, [one])
    const client = rawClient(
      cleanup,
      address,
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    )
    await until("the request", () => one.seen[0])
    client.socket.write("zz\r\n")
    expect(await client.over).toBe("ended")
    expect(client.text()).toMatch(/^HTTP\/1.1 400/)
    expect(await router.counted("r1", "r1-0")).toMatchObject({ requests: 0, aborted: 1, inFlight: 0 })
  })
})

describe("time", () => {
  it("is short for a head that trickles", async () => {
    const { address } = await inFrontOf(cleanup, [await named(cleanup, "one")], { head: 300 })
    const client = rawClient(cleanup, address, "GET / HT")
    expect(await client.over).toBe("ended")
    expect(client.text()).toMatch(/^HTTP\/1.1 408/)
  })

  it("for an answer runs out: 504, counted as the instance's", async () => {
    const { router, address } = await inFrontOf(cleanup, [await instance(cleanup, () => undefined)], {
      answer: 100,
    })
    const answered = await fetchFrom(address)
    expect(answered).toMatchObject({ status: 504, headers: { "x-immunity-router": "timeout" } })
    expect(await router.counted("r1", "r1-0")).toMatchObject({
      requests: 1,
      errors: { timeout: 1 },
      inFlight: 0,
    })
  })

  it("for a client that never reads runs out, and nobody is blamed", async () => {
    const one = await instance(cleanup, (_, response) => response.end(Buffer.alloc(64 * 1024 * 1024)))
    const { router, address } = await inFrontOf(cleanup, [one], { between: 300 })
    const client = rawClient(cleanup, address, get())
    client.socket.pause()
    const counted = await until("the end of it", async () => {
      const now = await router.counted("r1", "r1-0")
      return now.requests === 1 && now.inFlight === 0 ? now : undefined
    })
    expect(counted).toMatchObject({ errors: { timeout: 0, reset: 0 } })
  })

  it("is not wasted on an idle connection", async () => {
    const { address } = await inFrontOf(cleanup, [await named(cleanup, "one")], { idle: 100 })
    expect(await rawClient(cleanup, address).over).toBeDefined()
  })
})

describe("pressure", () => {
  it("of a slow reader reaches the instance: 64 MB are not gathered in the router", async () => {
    let pulled = 0
    const one = await instance(cleanup, (_, response) => {
      const chunk = Buffer.alloc(256 * 1024)
      const write = () => {
        while (pulled < 64 * 1024 * 1024) {
          pulled += chunk.length
          if (!response.write(chunk)) {
            response.once("drain", write)
            return
          }
        }
        response.end()
      }
      write()
    })
    const { address } = await inFrontOf(cleanup, [one])
    const client = rawClient(cleanup, address, get())
    client.socket.pause()
    let last = -1
    await until("no more being pulled", async () => {
      const before = last
      last = pulled
      await new Promise((resolve) => setTimeout(resolve, 200))
      return (before === pulled && pulled > 0) || undefined
    })
    expect(pulled).toBeLessThan(24 * 1024 * 1024)
    client.socket.resume()
    await until("all of it", () => client.text().length > 64 * 1024 * 1024 || undefined)
  })

  it("of a slow instance reaches the client", async () => {
    const one = await rawInstance(cleanup, (socket) => socket.pause())
    const { address } = await inFrontOf(cleanup, [one])
    const client = rawClient(
      cleanup,
      address,
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 67108864\r\n\r\n",
    )
    const chunk = Buffer.alloc(256 * 1024)
    let written = 0
    while (written < 64 * 1024 * 1024 && client.socket.writableLength < 8 * 1024 * 1024) {
      client.socket.write(chunk)
      written += chunk.length
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(client.socket.writableLength).toBeGreaterThanOrEqual(8 * 1024 * 1024)
  })
})

describe("an answer before the end of the request", () => {
  it("reaches the client, and neither connection is used again", async () => {
    const one = await canned(cleanup, "HTTP/1.1 413 Too Much\r\nContent-Length: 4\r\n\r\nstop")
    const { address } = await inFrontOf(cleanup, [one])
    const client = rawClient(
      cleanup,
      address,
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc",
    )
    expect(await client.over).toBe("ended")
    expect(client.text()).toMatch(/^HTTP\/1.1 413 Too Much\r\n[\s\S]*Connection: close\r\n[\s\S]*stop$/)
  })
})

describe("a client that goes away", () => {
  it("takes its request along, and the instance is not to blame", async () => {
    let gone = false
    const one = await instance(cleanup, (asked, response) => {
      response.write("a")
      const more = setInterval(() => response.write("a"), 10)
      asked.on("close", () => {
        clearInterval(more)
        gone = true
      })
    })
    const { router, address } = await inFrontOf(cleanup, [one])
    const client = rawClient(cleanup, address, get())
    await until("an answer", () => client.text().includes("a\r\n") || undefined)
    client.socket.destroy()
    await until("the instance to hear of it", () => gone || undefined)
    expect(await router.counted("r1", "r1-0")).toMatchObject({
      requests: 1,
      inFlight: 0,
      errors: { reset: 0, timeout: 0 },
    })
  })

  it("before its answer is counted apart", async () => {
    const one = await instance(cleanup, () => undefined)
    const { router, address } = await inFrontOf(cleanup, [one])
    const client = rawClient(cleanup, address, get())
    await until("the request", () => one.seen[0])
    client.socket.resetAndDestroy()
    await until("its end", async () => (await router.counted("r1", "r1-0")).inFlight === 0 || undefined)
    expect(await router.counted("r1", "r1-0")).toMatchObject({ requests: 0, aborted: 1 })
  })

  it("after it waited in vain for long counts as one that the instance failed", async () => {
    const one = await instance(cleanup, () => undefined)
    const { router, address } = await inFrontOf(cleanup, [one], { patience: 100 })
    const client = rawClient(cleanup, address, get())
    await until("the request", () => one.seen[0])
    await new Promise((resolve) => setTimeout(resolve, 150))
    client.socket.resetAndDestroy()
    await until("its end", async () => (await router.counted("r1", "r1-0")).inFlight === 0 || undefined)
    expect(await router.counted("r1", "r1-0")).toMatchObject({
      requests: 1,
      aborted: 0,
      errors: { timeout: 1 },
    })
  })
})
