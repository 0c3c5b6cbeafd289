import { createServer, type IncomingMessage, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
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

const observe = (candidate: string, stable: readonly string[]) =>
  answersMetrics().observe(
    {
      app: "papi",
      metric: {
        name: "answers",
        source: { type: "answers", ask: ["/items/1"], accept: [] },
        kind: "answers",
        worse: "up",
        critical: false,
        tolerateRatio: 0,
        tolerateDelta: 0,
      },
      cohort: { route: "papi/prod", pool: "r2", mirrored: true, instances: ["papi-r2-1"] },
      addresses: { "papi-r2-1": candidate },
      against: Object.fromEntries(stable.map((address, i) => [`papi-r1-${i + 1}`, address])),
      from: 0,
      to: 1_000,
    },
    new AbortController().signal,
  )

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
    expect(seen.compared).toBe(20)
    expect(seen.paths.toSorted((a, b) => a.path.localeCompare(b.path))).toMatchObject([
      { endpoint: "GET /items/:id", path: "body.price", structural: false, raw: 20, noise: 0 },
      { endpoint: "GET /items/:id", path: "body.tax", structural: true, raw: 20, confirmed: 20, noise: 0 },
    ])
    expect(asked.every(({ method }) => method === "GET")).toBe(true)
    expect(Object.keys(asked[0]?.headers ?? {}).sort()).toEqual([
      "accept",
      "connection",
      "host",
      "user-agent",
      "x-mirror",
    ])
  })

  it("asks a single stable instance twice", async () => {
    const same = () => ({ price: 42 })
    const seen = await observe(await instance(same), [await instance(same)])
    expect(seen).toEqual({ kind: "answers", compared: 20, paths: [] })
    expect(asked).toHaveLength(60)
  })

  it("tells when nobody answers, and has no data while there is nobody to ask", async () => {
    const gone = await instance(() => ({}))
    await new Promise((done) => open.pop()?.close(done))
    await expect(observe(gone, [await instance(() => ({}))])).rejects.toThrow(/not one of the requests/)
    expect(await observe(gone, [])).toBeUndefined()
  })
})
