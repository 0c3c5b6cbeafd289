import { execFileSync } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { get } from "node:https"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TLSSocket } from "node:tls"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { RouteSpec } from "../../../core/pipeline/effects.ts"
import { routerContract } from "../../../testing/router-contract.ts"
import { pool, routeTo, TestInstance, Users, until } from "../../../testing/router-world.ts"
import { Haproxy } from "./haproxy.ts"
import { findHaproxy } from "./program.ts"

const kill = (pid: number | undefined) => {
  if (pid === undefined) throw new Error("HAProxy has no process")
  process.kill(pid, "SIGKILL")
}

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const found = server.address()
      server.close(() => resolve(typeof found === "object" && found ? found.port : 0))
    })
  })

describe.skipIf(findHaproxy() === undefined)("HAProxy's driver", () => {
  let dir: string
  let router: Haproxy
  let a: TestInstance
  const users = new Users()
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "haproxy-"))
    router = await Haproxy.open({ dir })
    a = await TestInstance.start("a")
  })
  afterEach(async () => {
    users.leave()
    const { pid } = await router.state()
    await router.close()
    if (pid !== undefined) kill(pid)
    await a.stop()
    await rm(dir, { recursive: true, force: true })
  })
  const reloads = async () => (await readFile(join(dir, "haproxy.log"), "utf8")).split("Reloading").length - 1

  it("runs no HAProxy before there is a route", async () => {
    expect((await router.state()).pid).toBeUndefined()
    expect((await router.counters()).routes).toEqual({})
  })

  it("lets users in over TLS, asks in plain words inside, and serves a renewed certificate without a reload", async () => {
    await router.close()
    const [cert, key] = [join(dir, "users.crt"), join(dir, "users.key")]
    const issue = (name: string) =>
      execFileSync(
        "openssl",
        [
          ...[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
          ],
          ...["-subj", `/CN=${name}`, "-keyout", key, "-out", cert],
        ],
        { stdio: "ignore" },
      )
    issue("first.test")
    await writeFile(join(dir, "settings.json"), JSON.stringify({ cert, key }))
    router = await Haproxy.open({ dir })
    const free = await freePort()
    const prod = routeTo([pool("r1", 100, { a })], { listen: `127.0.0.1:${free}` })
    const preview = routeTo([pool("p", 100, { p: a })], { route: "papi/preview", plain: true })
    const order = { app: "papi", epoch: 1, generation: 1 }
    expect(await router.setRoutes(order, [prod, preview])).toEqual({ kind: "applied" })
    const meet = () =>
      new Promise<string>((resolve, reject) => {
        const asked = get(
          `https://127.0.0.1:${free}/`,
          { rejectUnauthorized: false, agent: false },
          (answer) => {
            const { subject } = (answer.socket as TLSSocket).getPeerCertificate()
            answer.resume().on("end", () => resolve(`${answer.statusCode} ${subject.CN}`))
          },
        )
        asked.on("error", reject)
      })
    expect(await meet()).toBe("200 first.test")
    expect(a.asked.at(-1)?.headers["x-forwarded-proto"]).toBe("https")
    expect((await users.get((await router.state()).listeners["papi/preview"] ?? "")).body).toBe("a")
    const before = await reloads()
    await writeFile(cert, "half of a renewal")
    issue("second.test")
    await until("the new certificate", async () => ((await meet()) === "200 second.test" ? true : undefined))
    expect(await reloads()).toBe(before)
  })

  it("needs no reload for what happens every day: weights, instances, pools, previews that come and go", async () => {
    const prod = (weight: number, pool2: string) =>
      routeTo([pool("r1", 100 - weight, { a }), pool(pool2, weight, { [pool2]: a })])
    const preview = routeTo([pool("p", 100, { p: a })], { route: "papi/preview" })
    let generation = 0
    const set = (...routes: readonly RouteSpec[]) =>
      router.setRoutes({ app: "papi", epoch: 1, generation: ++generation }, routes)
    await set(prod(0, "r2"), preview)
    const before = await reloads()
    for (const next of ["r2", "r3", "r4", "r5", "r6", "r7"]) {
      expect(await set(prod(0, next), preview)).toEqual({ kind: "applied" })
      await set(prod(50, next), preview)
      expect(await set(prod(100, next))).toEqual({ kind: "applied" })
      expect((await users.get((await router.state()).listeners["papi/prod"] ?? "")).body).toBe("a")
      await until("the pool before to be gone", async () =>
        Object.keys((await router.state()).inFlight).every((id) => ["a", "p", next].includes(id)),
      )
    }
    expect(await reloads()).toBe(before)
  })

  it("knows users by their address, and does not believe a name of its own in their requests", async () => {
    const route = routeTo([pool("r1", 50, { a }), pool("r2", 50, { b: a })], { sticky: { by: "address" } })
    await router.setRoutes({ app: "papi", epoch: 1, generation: 1 }, [route])
    const address = (await router.state()).listeners["papi/prod"] ?? ""
    const spoofed = { "x-immunity-copy": "1", "x-mirror": "1", "x-forwarded-for": "10.0.0.1" }
    for (let n = 0; n < 10; n++) await users.get(address, "/", spoofed)
    const { pools } = (await until("ten requests", async () => {
      const found = (await router.counters()).routes["papi/prod"]
      const sum = [found?.pools.r1?.a, found?.pools.r2?.b].reduce((all, one) => all + (one?.requests ?? 0), 0)
      return sum === 10 && found
    })) as { pools: Record<string, Record<string, { requests: number }>> }
    expect([pools.r1?.a?.requests, pools.r2?.b?.requests]).toContain(10)
    for (const { headers } of a.asked) {
      expect(headers).not.toHaveProperty("x-immunity-copy")
      expect(headers).not.toHaveProperty("x-mirror")
      expect(headers["x-forwarded-for"]).toBe("10.0.0.1, 127.0.0.1")
    }
  })

  it("says why it cannot work in a folder whose name is too long for its sockets", async () => {
    await expect(Haproxy.open({ dir: join(dir, "x".repeat(80)) })).rejects.toThrow(/at most 70/)
  })
})

describe.skipIf(findHaproxy() === undefined)("a real HAProxy", () => {
  routerContract("haproxy", async () => {
    const dir = await mkdtemp(join(tmpdir(), "haproxy-"))
    let router = await Haproxy.open({ dir })
    return {
      router: router,
      async crash() {
        const { pid } = await router.state()
        kill(pid)
        await until("HAProxy to be back", () =>
          router.state().then(
            (state) => state.pid !== pid,
            () => false,
          ),
        )
      },
      async reconnect() {
        await router.close()
        router = await Haproxy.open({ dir })
        return router
      },
      async close() {
        await router.close()
        kill((await router.state()).pid)
        await rm(dir, { recursive: true, force: true })
      },
    }
  })
})
