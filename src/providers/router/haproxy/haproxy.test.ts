import { execFileSync } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { get } from "node:https"
import { connect, createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
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

  it("lets in as many connections as its settings say, of one address and of all; a changed setting is a reload", async () => {
    const prod = routeTo([pool("r1", 100, { a })])
    const allow = async (settings: object) => {
      await router.close()
      await writeFile(join(dir, "settings.json"), JSON.stringify(settings))
      router = await Haproxy.open({ dir })
      expect(await router.setRoutes({ app: "papi", epoch: 1, generation: 1 }, [prod])).toEqual({
        kind: "applied",
      })
      const [host, port] = ((await router.state()).listeners["papi/prod"] ?? "").split(":")
      return (localAddress: string) =>
        new Promise<Socket | undefined>((resolve) => {
          const socket = connect({ host, port: Number(port), localAddress })
          socket.on("error", () => resolve(undefined))
          socket.on("close", () => resolve(undefined))
          socket.on("data", () => resolve(socket))
          socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        })
    }
    const enter = await allow({ "max-connections-per-address": 2 })
    const inside = [await enter("127.0.0.1"), await enter("127.0.0.1")]
    expect(inside.every((one) => one !== undefined)).toBe(true)
    expect(await enter("127.0.0.1")).toBeUndefined()
    const other = await enter("127.0.0.2")
    expect(other).toBeDefined()
    inside[0]?.destroy()
    inside.push(await until("a free place", () => enter("127.0.0.1")), other)
    for (const socket of inside) socket?.destroy()
    const before = await reloads()
    const enterAny = await allow({ "max-connections": 3 })
    expect(await reloads()).toBe(before + 1)
    const crowd: (Socket | undefined)[] = []
    await until("the limit of all", async () => {
      crowd.push(await enterAny(`127.0.0.${crowd.length + 1}`))
      return crowd.at(-1) === undefined
    })
    expect(crowd.length).toBeLessThanOrEqual(4)
    for (const socket of crowd) socket?.destroy()
  })

  it("is told by HAProxy's own checks who is ill, and who is well again", async () => {
    const health = { path: "/healthz", every: 100, timeout: 1_000, healthy: 1, unhealthy: 2 }
    const b = await TestInstance.start("b")
    const prod = routeTo([pool("r1", 100, { a, b })], { health })
    await router.setRoutes({ app: "papi", epoch: 1, generation: 1 }, [prod])
    const refusing = async () => (await router.state()).refusing?.join()
    await until("both to be well", async () => (await refusing()) === "")
    b.isWell = false
    await until("b to be told", async () => (await refusing()) === "b")
    b.isWell = true
    await until("b to be well", async () => (await refusing()) === "")
    await b.stop()
    await until("b to be told", async () => (await refusing()) === "b")
  })

  it("holds requests also where the swap needs a reload, and no longer than it was told to", async () => {
    const b = await TestInstance.start("b")
    const to = (old: number, more: Partial<RouteSpec>) =>
      routeTo([pool("old", old, { a }), pool("new", 100 - old, { b })], more)
    const order = (generation: number, route: RouteSpec) =>
      router.setRoutes({ app: "papi", epoch: 1, generation }, [route])
    await order(1, to(100, {}))
    const address = (await router.state()).listeners["papi/prod"] ?? ""
    const slow = users.get(address, "/slow")
    await until("the slow request", async () => a.waiting === 1)
    const before = await reloads()
    const more = { sticky: { by: "address" }, holdRequests: 8_000 } as const
    const swap = order(2, to(0, more))
    const held = await until("a request that waits", async () => {
      const asked = users.get(address)
      const body = await Promise.race([asked, sleep(300)])
      expect(body?.body ?? "a").toBe("a")
      return body === undefined && { asked }
    })
    expect(b.asked).toEqual([])
    a.letGo()
    expect((await held.asked).body).toBe("b")
    expect([await swap, await reloads()]).toEqual([{ kind: "applied" }, before + 1])
    expect((await slow).body).toBe("a")
    const again = users.get(address, "/slow")
    await until("a slow request", async () => b.waiting === 1)
    expect(await order(3, to(100, { ...more, holdRequests: 200 }))).toEqual({ kind: "applied" })
    expect((await users.get(address)).body).toBe("a")
    b.letGo()
    expect((await again).body).toBe("b")
    await b.stop()
  })

  it("keeps to one connection what its messages say is for that one alone", async () => {
    await router.setRoutes({ app: "papi", epoch: 1, generation: 1 }, [routeTo([pool("r1", 100, { a })])])
    const address = (await router.state()).listeners["papi/prod"] ?? ""
    const connection = "keep-alive, X-Hop , host"
    await users.get(address, "/", { connection, "x-hop": "1", "x-kept": "2", "keep-alive": "timeout=5" })
    const [seen] = a.asked
    expect(seen?.headers).toMatchObject({ "x-kept": "2", host: address })
    expect(seen?.headers).not.toHaveProperty("x-hop")
    expect(seen?.headers).not.toHaveProperty("keep-alive")
    const answer = await users.get(address, "/hop")
    expect(answer.headers).toMatchObject({ "x-kept": "2" })
    expect(answer.headers).not.toHaveProperty("x-hop")
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
