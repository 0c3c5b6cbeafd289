import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, request, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { DataPlane } from "./data-plane.ts"
import { choosePool, position } from "./selection.ts"
import { loadState, saveState } from "./state-file.ts"
import { emptyState, type RouteTable } from "./table.ts"

const closing: (() => void | Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "immunity-router-"))
  closing.push(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

function backend(name: string, delayMs = 0): Promise<{ readonly id: string; readonly address: string }> {
  const server: Server = createServer((_request, response) => {
    setTimeout(() => response.end(name), delayMs)
  })
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () =>
      resolve({ id: name, address: `127.0.0.1:${(server.address() as AddressInfo).port}` }),
    )
  })
}

function ask(
  address: string,
  headers: Record<string, string> = {},
  method = "GET",
): Promise<{ readonly status: number; readonly body: string; readonly router: string | undefined }> {
  const [host, port] = address.split(":")
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path: "/", method, headers, agent: false }, (answer) => {
      let body = ""
      answer.on("data", (chunk: Buffer) => {
        body += chunk.toString()
      })
      answer.on("end", () =>
        resolve({
          status: answer.statusCode ?? 0,
          body,
          router: answer.headers["x-immunity-router"]?.toString(),
        }),
      )
    })
    asked.on("error", reject)
    asked.end()
  })
}

const table = (pools: RouteTable["pools"], more: Partial<RouteTable> = {}): RouteTable => ({
  route: "papi/prod",
  listen: "127.0.0.1:0",
  salt: "papi/prod/2",
  sticky: { by: "none" },
  stable: "r1",
  pools,
  ...more,
})

function plane(dir = folder()): DataPlane {
  const made = new DataPlane(dir, loadState(dir).state)
  closing.push(() => made.drain(100))
  return made
}

const listener = (made: DataPlane): string => made.listeners()["papi/prod"] ?? ""

describe("users", () => {
  it("stay on their side while a share grows, over restarts, and are shuffled by a new salt", () => {
    const at = (weight: number, salt: string, user: number) =>
      choosePool(
        table([
          { pool: "r1", weight: 100 - weight, instances: [] },
          { pool: "r2", weight, instances: [] },
        ]),
        position(salt, `u${user}`),
      )?.pool
    const users = Array.from({ length: 5_000 }, (_, i) => i)
    const canary = (weight: number, salt = "a") =>
      new Set(users.filter((user) => at(weight, salt, user) === "r2"))
    const [small, large] = [canary(5), canary(25)]
    expect([...small].every((user) => large.has(user))).toBe(true)
    expect(Math.abs(small.size / users.length - 0.05)).toBeLessThan(
      4 * Math.sqrt((0.05 * 0.95) / users.length),
    )
    expect(canary(5)).toEqual(small)
    expect([...canary(5, "b")].filter((user) => small.has(user)).length).toBeLessThan(small.size / 2)
  })

  it("of a broken canary are served by the stable pool", async () => {
    const made = plane()
    const good = await backend("old")
    const dead = { id: "dead", address: "127.0.0.1:1" }
    await made.setRoutes("papi", 1, 1, [
      table([
        { pool: "r1", weight: 0, instances: [good] },
        { pool: "r2", weight: 100, instances: [dead] },
      ]),
    ])
    expect(await ask(listener(made))).toMatchObject({ status: 200, body: "old" })
  })
})

describe("a table", () => {
  it("splits by weight and swaps whole: nothing stale after the answer", async () => {
    const made = plane()
    const [a, b] = [await backend("old"), await backend("new")]
    const pools = (weight: number) => [
      { pool: "r1", weight: 100 - weight, instances: [a] },
      { pool: "r2", weight, instances: [b] },
    ]
    await made.setRoutes("papi", 1, 1, [table(pools(25))])
    const seen = await Promise.all(Array.from({ length: 200 }, () => ask(listener(made))))
    expect(Math.abs(seen.filter(({ body }) => body === "new").length / 200 - 0.25)).toBeLessThan(0.13)
    await made.setRoutes("papi", 1, 2, [table(pools(100))])
    const after = await Promise.all(Array.from({ length: 50 }, () => ask(listener(made))))
    expect(after.every(({ body }) => body === "new")).toBe(true)
  })

  it("that is older is refused, and one whose weights do not sum to 100 changes nothing", async () => {
    const made = plane()
    const a = await backend("old")
    const whole = [table([{ pool: "r1", weight: 100, instances: [a] }])]
    expect(await made.setRoutes("papi", 2, 5, whole)).toEqual({ ok: true })
    expect(await made.setRoutes("papi", 1, 9, [])).toMatchObject({ refused: { code: "stale" } })
    expect(await made.setRoutes("papi", 2, 4, [])).toMatchObject({ refused: { code: "stale" } })
    expect(
      await made.setRoutes("papi", 2, 6, [table([{ pool: "r1", weight: 60, instances: [a] }])]),
    ).toMatchObject({ refused: { code: "invalid" } })
    expect((await ask(listener(made))).body).toBe("old")
  })

  it("with nobody in it answers 503 and says that it was the router", async () => {
    const made = plane()
    await made.setRoutes("papi", 1, 1, [table([])])
    expect(await ask(listener(made))).toMatchObject({ status: 503, router: "no-instance" })
  })
})

describe("the release handshake", () => {
  it("waits for weight 0 and for requests in flight, then refuses the id for ever, also after a restart", async () => {
    const dir = folder()
    const made = plane(dir)
    const [slow, other] = [await backend("slow", 400), await backend("other")]
    await made.setRoutes("papi", 1, 1, [table([{ pool: "r1", weight: 100, instances: [slow] }])])
    expect(await made.release("papi", 1, "slow", 10_000)).toMatchObject({ weight: 100 })
    const running = ask(listener(made))
    await new Promise((resolve) => setTimeout(resolve, 100))
    await made.setRoutes("papi", 1, 2, [
      table([{ pool: "r2", weight: 100, instances: [other] }], { stable: "r2" }),
    ])
    expect(await made.release("papi", 1, "slow", 10_000)).toMatchObject({ inFlight: 1 })
    expect((await running).body).toBe("slow")
    expect(await made.release("papi", 1, "slow", 10_000)).toEqual({ ok: true })
    const again = plane(dir)
    expect(
      await again.setRoutes("papi", 1, 3, [table([{ pool: "r1", weight: 100, instances: [slow] }])]),
    ).toMatchObject({ refused: { code: "invalid" } })
  })
})

describe("the mirror", () => {
  it("copies reads, counts the same requests on both sides, and a hanging copy harms nobody", async () => {
    const made = plane()
    const [primary, copy] = [await backend("primary"), await backend("copy", 5_000)]
    const preview = { ...table([{ pool: "r2", weight: 100, instances: [copy] }]), route: "papi/preview" }
    const mirror = { to: "papi/preview", sample: 1, timeout: 200 }
    await made.setRoutes("papi", 1, 1, [
      table([{ pool: "r1", weight: 100, instances: [primary] }], { mirror }),
      preview,
    ])
    const seen = await Promise.all(
      Array.from({ length: 100 }, (_, i) => ask(listener(made), {}, i % 2 === 0 ? "GET" : "POST")),
    )
    expect(seen.every(({ body }) => body === "primary")).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 600))
    const counted = made.counters.snapshot(0) as {
      routes: Record<
        string,
        {
          mirror: {
            sent: number
            dropped: number
            primary: { requests: number }
            candidate: { requests: number; bad: number }
          }
        }
      >
    }
    const tally = counted.routes["papi/prod"]?.mirror
    expect((tally?.sent ?? 0) + (tally?.dropped ?? 0)).toBe(50)
    expect(tally?.primary.requests).toBe(tally?.sent)
    expect(tally?.candidate.bad).toBe(tally?.sent)
  })
})

describe("the state file", () => {
  it("torn or edited is not believed; the one before is", () => {
    const dir = folder()
    saveState(dir, { ...emptyState, released: ["a"] })
    saveState(dir, { ...emptyState, released: ["a", "b"] })
    const file = join(dir, "state.json")
    const whole = readFileSync(file, "utf8")
    for (const torn of [whole.slice(0, 80), "", whole.replace('"b"', '"c"')]) {
      writeFileSync(file, torn)
      const { state, degraded } = loadState(dir)
      expect(state.released).toEqual(["a"])
      expect(degraded).toContain("is torn")
    }
  })

  it("that is all lost starts empty and says so", () => {
    const dir = folder()
    writeFileSync(join(dir, "state.json"), "nonsense")
    expect(loadState(dir)).toMatchObject({
      state: emptyState,
      degraded: expect.stringContaining("no routes"),
    })
  })
})
