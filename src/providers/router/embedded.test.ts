import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { RouteSpec } from "../../core/pipeline/effects.ts"
import { embeddedRouter } from "./embedded.ts"

const program = fileURLToPath(new URL("../../router/process.ts", import.meta.url))
const signal = () => AbortSignal.timeout(30_000)
const fence = (epoch: number, generation: number) => ({ app: "papi", epoch, generation })

let dir = ""
let child: ChildProcess | undefined
const instance = createServer((asked, response) => {
  response.statusCode = asked.url === "/bad" ? 500 : 200
  response.end("hello")
})

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "router-"))
  child = spawn(process.execPath, [program, "--dir", dir], { stdio: ["ignore", "pipe", "inherit"] })
  if (child.stdout) await once(child.stdout, "data")
  if (!instance.listening) await once(instance.listen(0, "127.0.0.1"), "listening")
})

afterEach(async () => {
  child?.kill("SIGKILL")
  instance.closeAllConnections()
  await rm(dir, { recursive: true, force: true })
})

const route = (weight: number): RouteSpec => ({
  route: "papi/prod",
  listen: "127.0.0.1:0",
  salt: "papi#7",
  sticky: { by: "cookie", name: "side" },
  pools: [
    {
      pool: "r1",
      weight,
      instances: [{ id: "a", address: `127.0.0.1:${(instance.address() as AddressInfo).port}` }],
    },
    { pool: "r2", weight: 100 - weight, instances: [] },
  ],
  stable: "r1",
  mirror: { to: "papi/preview", sample: 0.5, timeout: 1_000 },
})

describe("the embedded router, through its port", () => {
  it("takes tables, tells what it does and what it counted", async () => {
    const router = embeddedRouter({ dir })
    expect(await router.fence("papi", 1, signal())).toEqual({ kind: "applied" })
    expect(await router.setRoutes(fence(1, 1), [route(100)], signal())).toEqual({ kind: "applied" })
    const state = await router.state(signal())
    expect(state.apps.papi).toEqual({ epoch: 1, generation: 1, routes: [route(100)] })
    expect(state).toMatchObject({ pid: child?.pid, inFlight: { a: 0 }, released: [], degraded: undefined })
    for (const path of ["/", "/", "/bad"])
      await (await fetch(`http://${state.listeners["papi/prod"]}${path}`)).text()
    const { routes } = await router.counters(signal())
    const counted = routes["papi/prod"]?.pools.r1?.a
    expect(counted).toMatchObject({ requests: 3, bad: 1 })
    expect(counted?.latency.reduce((sum, [, count]) => sum + count, 0)).toBe(3)
    expect(routes["papi/prod"]?.mirror).toMatchObject({ to: "papi/preview", sent: 0 })
  })

  it("refuses what is stale or wrong with the code of the port", async () => {
    const router = embeddedRouter({ dir })
    await router.setRoutes(fence(2, 5), [route(100)], signal())
    expect(await router.setRoutes(fence(2, 4), [route(100)], signal())).toMatchObject({
      kind: "refused",
      code: "stale",
    })
    expect(await router.fence("papi", 1, signal())).toMatchObject({ kind: "refused", code: "stale" })
    const wrong = { ...route(100), pools: [{ pool: "r1", weight: 50, instances: [] }] }
    expect(await router.setRoutes(fence(2, 6), [wrong], signal())).toMatchObject({
      kind: "refused",
      code: "invalid",
    })
    const busy = { ...route(100), listen: `127.0.0.1:${(instance.address() as AddressInfo).port}` }
    expect(await router.setRoutes(fence(2, 7), [busy], signal())).toMatchObject({
      kind: "refused",
      code: "address-in-use",
    })
  })

  it("releases an instance at weight 0 and refuses its id from then on", async () => {
    const router = embeddedRouter({ dir })
    await router.setRoutes(fence(1, 1), [route(100)], signal())
    expect(await router.release(fence(1, 2), "a", 1_000, signal())).toEqual({
      kind: "busy",
      weight: 100,
      inFlight: 0,
    })
    await router.setRoutes(fence(1, 3), [route(0)], signal())
    expect(await router.release(fence(1, 4), "a", 1_000, signal())).toEqual({ kind: "released" })
    expect(await router.setRoutes(fence(1, 5), [route(0)], signal())).toMatchObject({
      kind: "refused",
      code: "invalid",
    })
    expect((await router.state(signal())).released).toEqual(["a"])
    await expect(router.release(fence(0, 9), "b", 1_000, signal())).rejects.toThrow(/refused/)
  })

  it("says in words when nobody answers", async () => {
    const router = embeddedRouter({ dir: join(dir, "nowhere") })
    await expect(router.state(signal())).rejects.toThrow(/nobody answers at nowhere\/control\.sock/)
    await expect(router.counters(signal())).rejects.toThrow(/nobody answers at nowhere\/stats\.sock/)
  })
})
