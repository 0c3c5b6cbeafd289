import { createServer, type IncomingMessage, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import type { CopiedRequest } from "../../core/answers/copied.ts"
import { answersMetrics } from "./answers.ts"

const open: Server[] = []
const asked: IncomingMessage[] = []

async function instance(body: () => unknown): Promise<string> {
  const server = createServer((request, response) => {
    asked.push(request)
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body()))
  })
  open.push(server)
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const source = answersMetrics()

const observe = (
  candidate: string,
  stable: readonly string[],
  copied: readonly CopiedRequest[] = [],
  ask: readonly string[] = ["/items/1"],
  app = "papi",
) =>
  source.observe(
    {
      app,
      metric: {
        name: "answers",
        source: { type: "answers", ask, accept: [] },
        kind: "answers",
        worse: "up",
        critical: false,
        tolerateRatio: 0,
        tolerateDelta: 0,
      },
      cohort: { route: "papi/prod", pool: "r2", mirrored: true, instances: ["papi-r2-1"] },
      addresses: { "papi-r2-1": candidate },
      against: Object.fromEntries(stable.map((address, i) => [`papi-r1-${i + 1}`, address])),
      copied,
      from: 0,
      to: 1_000,
    },
    AbortSignal.timeout(30_000),
  )

const copy = (target: string, headers: Readonly<Record<string, string>> = {}, method = "GET") => ({
  at: 1,
  method,
  target,
  headers: { host: "papi.example", ...headers },
})

afterEach(() => {
  for (const server of open.splice(0)) server.close()
  asked.length = 0
})

describe("asking stable instances and the candidate", () => {
  it("finds a lost field and another content, and leaves alone what changes from answer to answer", async () => {
    const good = () => ({ price: 42, tax: 8, at: Math.random() })
    const bad = () => ({ price: -1, at: Math.random() })
    const seen = await observe(await instance(bad), [await instance(good), await instance(good)])
    if (seen?.kind !== "answers") throw new Error("answers")
    // On a busy machine a round ends before all is asked.
    const raw = seen.compared
    expect(raw).toBeGreaterThan(0)
    expect(raw).toBeLessThanOrEqual(20)
    expect(seen.paths.toSorted((a, b) => a.path.localeCompare(b.path))).toMatchObject([
      { endpoint: "GET /items/:id", path: "body.price", structural: false, raw, noise: 0 },
      { endpoint: "GET /items/:id", path: "body.tax", structural: true, raw, noise: 0 },
    ])
    expect(seen.paths.find(({ structural }) => structural)?.confirmed).toBeGreaterThan(0)
    expect(asked.every(({ method }) => method === "GET")).toBe(true)
    expect(Object.keys(asked[0]?.headers ?? {}).sort()).toEqual([
      "accept",
      "connection",
      "host",
      "user-agent",
      "x-mirror",
    ])
  })

  it("asks all three for what users asked for, in the same words and nobody's name", async () => {
    const real = [copy("/a?x=1", { accept: "text/plain" }), copy("/b", {}, "HEAD"), copy("/c")]
    const good = () => ({ price: 42 })
    const seen = await observe(
      await instance(() => ({ price: 43 })),
      [await instance(good), await instance(good)],
      real,
      [],
    )
    expect(seen).toMatchObject({ compared: 3 })
    if (seen?.kind !== "answers") throw new Error("answers")
    expect(seen.paths.map(({ endpoint, path, raw }) => [endpoint, path, raw])).toEqual([
      ["GET /a", "body.price", 1],
      ["GET /c", "body.price", 1],
    ])
    expect(asked.map(({ method, url }) => `${method} ${url}`).toSorted()).toEqual(
      ["GET /a?x=1", "GET /c", "HEAD /b"].flatMap((one) => [one, one, one]),
    )
    expect(asked.every(({ headers }) => headers.host === "papi.example" && headers["x-mirror"] === "1")).toBe(
      true,
    )
    const first = asked.filter(({ url }) => url === "/a?x=1")
    expect(first.map(({ headers }) => headers.accept)).toEqual(Array(3).fill("text/plain"))
  })

  it("puts one request alone first and at most four at once, and tells what it found in their order", async () => {
    let [underWay, most] = [0, 0]
    const held = createServer((request, response) => {
      asked.push(request)
      most = Math.max(most, ++underWay)
      setTimeout(() => {
        underWay--
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ price: 1 }))
      }, 20)
    })
    open.push(held)
    await new Promise<void>((done) => held.listen(0, "127.0.0.1", done))
    const good = () => ({ price: 42 })
    const names = Array.from({ length: 20 }, (_, n) => `/${"abcdefghijklmnopqrst"[n]}`)
    const candidate = `127.0.0.1:${(held.address() as AddressInfo).port}`
    const stable = [await instance(good), await instance(good)]
    const seen = await observe(
      candidate,
      stable,
      names.map((name) => copy(name)),
      [],
    )
    if (seen?.kind !== "answers") throw new Error("answers")
    expect(most).toBeLessThanOrEqual(4)
    expect(seen.paths.map(({ endpoint }) => endpoint)).toEqual(
      names.slice(0, seen.compared).map((name) => `GET ${name}`),
    )
  })

  it("has compared nothing while nobody asked for anything", async () => {
    const seen = await observe(await instance(() => 1), [await instance(() => 1)], [], [])
    expect(seen).toEqual({ kind: "answers", compared: 0, paths: [] })
  })

  it("drops what is more than a round, and tells a hundred endpoints apart and no more", async () => {
    const other = await instance(() => ({ price: Math.random() }))
    const same = await instance(() => ({ price: 1 }))
    const names = new Set<string>()
    for (let round = 0; round < 60 && !names.has("GET (others)"); round++) {
      const many = Array.from({ length: 30 }, (_, n) =>
        copy(`/made-up-${"x".repeat(round + 1)}-${"x".repeat(n + 1)}`),
      )
      const seen = await observe(other, [same, same], many, [])
      if (seen?.kind !== "answers") throw new Error("answers")
      expect(seen.compared).toBeLessThanOrEqual(20)
      for (const { endpoint } of seen.paths) names.add(endpoint)
    }
    expect(names.size).toBeLessThanOrEqual(101)
    expect(names).toContain("GET (others)")
  })

  it("leaves stable instances alone that have enough to do", async () => {
    const hanging = createServer(() => undefined)
    open.push(hanging)
    await new Promise<void>((done) => hanging.listen(0, "127.0.0.1", done))
    const slow = `127.0.0.1:${(hanging.address() as AddressInfo).port}`
    const candidate = await instance(() => ({}))
    const why = async () => {
      try {
        await observe(candidate, [slow, slow], [], ["/"], "busy")
        return "it was compared"
      } catch (error) {
        return error instanceof Error ? error.message : String(error)
      }
    }
    const rounds = [await why(), await why(), await why()]
    expect(rounds[0]).toMatch(/not one of the requests/)
    expect(rounds[2]).toMatch(/asked again in \d+ s/)
    expect(asked).toHaveLength(3)
    hanging.closeAllConnections()
  })

  it("takes one stall, which holds up all that is under way, for one slow answer, and asks none by more than four", async () => {
    let [underWay, most, stalledUntil] = [0, 0, 0]
    const stalling = createServer((_, response) => {
      most = Math.max(most, ++underWay)
      if (underWay === 4 && stalledUntil === 0) stalledUntil = performance.now() + 800
      setTimeout(
        () => {
          underWay--
          response.writeHead(200, { "content-type": "application/json" }).end("{}")
        },
        Math.max(10, stalledUntil - performance.now()),
      )
    })
    open.push(stalling)
    await new Promise<void>((done) => stalling.listen(0, "127.0.0.1", done))
    const stable = `127.0.0.1:${(stalling.address() as AddressInfo).port}`
    const candidate = await instance(() => ({}))
    const many = Array.from({ length: 20 }, (_, n) => copy(`/${n}`))
    for (let round = 0; round < 2; round++)
      expect(await observe(candidate, [stable], many, [], "stalled")).toMatchObject({ kind: "answers" })
    expect(most).toBeLessThanOrEqual(4)
  })

  it("is done by a process of its own: when that is killed one round is lost, and the next one is not", async () => {
    const [a, b] = [await instance(() => ({})), await instance(() => ({}))]
    await observe(a, [b], [], ["/"])
    const first = source.pid()
    if (first === undefined) throw new Error("no process")
    expect(first).not.toBe(process.pid)
    const lost = observe(a, [b], [], ["/"])
    process.kill(first, "SIGKILL")
    await expect(lost).rejects.toThrow(/ended \(SIGKILL\)/)
    expect(await observe(a, [b], [], ["/"])).toMatchObject({ kind: "answers", paths: [] })
    expect(source.pid()).not.toBe(first)
  })

  it("asks a single stable instance twice", async () => {
    const same = () => ({ price: 42 })
    const seen = await observe(await instance(same), [await instance(same)])
    if (seen?.kind !== "answers") throw new Error("answers")
    expect(seen.paths).toEqual([])
    expect(asked).toHaveLength(3 * seen.compared)
  })

  it("tells when nobody answers, and has no data while there is nobody to ask", async () => {
    const gone = await instance(() => ({}))
    await new Promise((done) => open.pop()?.close(done))
    await expect(observe(gone, [await instance(() => ({}))])).rejects.toThrow(/not one of the requests/)
    expect(await observe(gone, [])).toBeUndefined()
  })
})
