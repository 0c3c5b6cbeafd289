import { createHash } from "node:crypto"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { RouteSpec } from "../core/pipeline/effects.ts"
import type { Router } from "../ports/router.ts"
import { pool, routeTo, TestInstance, Users, until } from "./router-world.ts"

/** A router with nothing in it yet. */
export type RouterUnderTest = {
  readonly router: Router
  /** Kills what carries the traffic as a crash would, and brings it back from what it had written. */
  readonly crash: () => Promise<void>
  /** Another one who speaks with the same running router, as after a restart of the agent. */
  readonly reconnect: () => Promise<Router>
  readonly close: () => Promise<void>
}

const signal = () => AbortSignal.timeout(120_000)
const applied = { kind: "applied" }

/** What every router promises, whatever carries the traffic. */
export function routerContract(name: string, open: () => Promise<RouterUnderTest>): void {
  describe(`${name} keeps the promises of a router`, () => {
    let under: RouterUnderTest
    let router: Router
    let users: Users
    let instances: TestInstance[] = []
    let generation = 0

    beforeEach(async () => {
      under = await open()
      router = under.router
      users = new Users()
      generation = 0
    })
    afterEach(async () => {
      users.leave()
      await under.close()
      await Promise.all(instances.map((one) => one.stop()))
      instances = []
    })

    const instance = async (called: string, port?: number) => {
      const started = await TestInstance.start(called, port)
      instances.push(started)
      return started
    }
    const fence = () => ({ app: "papi", epoch: 1, generation: ++generation })
    const set = async (...routes: readonly RouteSpec[]) =>
      expect(await router.setRoutes(fence(), routes, signal())).toEqual(applied)
    const listener = async (route = "papi/prod") => {
      const found = (await router.state(signal())).listeners[route]
      if (found === undefined) throw new Error(`${route} listens nowhere`)
      return found
    }
    const counted = async (of: string, id: string, requests: number) =>
      until(`${requests} requests counted on ${id}`, async () => {
        const found = (await router.counters(signal())).routes["papi/prod"]?.pools[of]?.[id]
        return found && found.requests >= requests ? found : undefined
      })

    it("takes tables, tells what it does and what it counted", async () => {
      const a = await instance("a")
      expect(await router.fence("papi", 1, signal())).toEqual(applied)
      const route = routeTo([pool("r1", 100, { a }), pool("r2", 0, {})])
      await set(route)
      const state = await router.state(signal())
      expect(state.apps.papi).toEqual({ epoch: 1, generation, routes: [route] })
      expect(state).toMatchObject({ inFlight: { a: 0 }, released: [], degraded: undefined })
      expect(state.pid).toBeGreaterThan(0)
      for (const path of ["/", "/", "/bad"]) await users.get(await listener(), path)
      const { requests, bad, latency } = await counted("r1", "a", 3)
      expect([requests, bad, latency.reduce((sum, [, count]) => sum + count, 0)]).toEqual([3, 1, 3])
    })

    it("refuses who writes late, tables that make no sense, and addresses that others have", async () => {
      const a = await instance("a")
      const route = routeTo([pool("r1", 100, { a })])
      const send = (epoch: number, at: number, ...routes: readonly RouteSpec[]) =>
        router.setRoutes({ app: "papi", epoch, generation: at }, routes, signal())
      const refused = (code: string) => ({ kind: "refused", code })
      expect(await send(2, 5, route)).toEqual(applied)
      expect(await send(2, 5, route)).toEqual(applied)
      expect(await send(2, 4, route)).toMatchObject(refused("stale"))
      expect(await send(2, 5, { ...route, salt: "other" })).toMatchObject(refused("stale"))
      expect(await router.fence("papi", 1, signal())).toMatchObject(refused("stale"))
      expect(await router.fence("papi", 3, signal())).toEqual(applied)
      expect(await send(2, 9, route)).toMatchObject(refused("stale"))
      expect(await send(3, 1, { ...route, pools: [pool("r1", 50, { a })] })).toMatchObject(refused("invalid"))
      expect(await send(3, 2, route, route)).toMatchObject(refused("invalid"))
      const theirs = await router.setRoutes({ app: "other", epoch: 1, generation: 1 }, [route], signal())
      expect(theirs).toMatchObject(refused("invalid"))
      expect(await send(3, 3, { ...route, listen: a.address })).toMatchObject(refused("address-in-use"))
      expect((await users.get(await listener())).body).toBe("a")
    })

    it("splits users by weight", async () => {
      const [a, b] = [await instance("a"), await instance("b")]
      await set(routeTo([pool("r1", 90, { a }), pool("r2", 10, { b })]))
      const address = await listener()
      const total = 1_000
      const bodies = await Promise.all(Array.from({ length: total }, () => users.get(address)))
      const share = bodies.filter(({ body }) => body === "b").length
      const allowed = router.can.evenShares ? 5 : 5 * Math.sqrt(total * 0.1 * 0.9)
      expect(Math.abs(share - total * 0.1)).toBeLessThanOrEqual(allowed)
      expect((await counted("r2", "b", share)).requests).toBe(share)
    })

    it("keeps users on their side: a growing share keeps whom it had, over a crash too; another salt deals anew", async () => {
      const [a, b] = [await instance("a"), await instance("b")]
      const sticky = { by: "header", name: "X-User" } as const
      const share = (weight: number, salt = "papi#7") =>
        routeTo([pool("old", 100 - weight, { a }), pool("new", weight, { b })], { sticky, salt })
      const onNew = async () => {
        const address = await listener()
        const names = Array.from({ length: 200 }, (_, at) => `user-${at}`)
        const got = await Promise.all(names.map((user) => users.get(address, "/", { "x-user": user })))
        return new Set(names.filter((_, at) => got[at]?.body === "b"))
      }
      await set(share(20))
      const small = await onNew()
      expect(small.size).toBeGreaterThan(10)
      expect(small.size).toBeLessThan(80)
      await under.crash()
      expect(await onNew()).toEqual(small)
      await set(share(50))
      const grown = await onNew()
      expect(grown.size).toBeGreaterThan(small.size)
      expect([...small].filter((user) => !grown.has(user))).toEqual([])
      await set(share(50, "papi#8"))
      expect(await onNew()).not.toEqual(grown)
    })

    it("chooses sides by SHA-256 where it is asked to, as anybody can compute", async () => {
      expect(router.can.selections).toContain("sha256")
      const [a, b] = [await instance("a"), await instance("b")]
      const pools = [pool("old", 70, { a }), pool("new", 30, { b })]
      await set(routeTo(pools, { sticky: { by: "header", name: "X-User" }, selection: "sha256" }))
      const address = await listener()
      const names = Array.from({ length: 60 }, (_, at) => `user-${at}`)
      const got = await Promise.all(names.map((user) => users.get(address, "/", { "x-user": user })))
      const point = (user: string) =>
        createHash("sha256").update(`papi#7\0${user}`).digest().readUInt32BE(0) / 2 ** 32
      expect(got.map(({ body }) => body)).toEqual(names.map((user) => (point(user) < 0.3 ? "b" : "a")))
    })

    it("lets listed users into a pool first, whatever its share is, and releases nobody from under them", async () => {
      const [a, b] = [await instance("a"), await instance("b")]
      const keys = Array.from({ length: 70 }, (_, at) => `"it's" #${at}`.replace(" ", "/"))
      const share = (weight: number, of?: string) =>
        routeTo([pool("old", 100 - weight, { a }), pool("new", weight, { b })], {
          sticky: { by: "header", name: "X-User" },
          first: { keys, pool: of },
        })
      const bodies = async (names: readonly string[]) => {
        const address = await listener()
        const got = await Promise.all(names.map((user) => users.get(address, "/", { "x-user": user })))
        return new Set(got.map(({ body }) => body))
      }
      const others = keys.map((key) => `${key}x`)
      await set(share(0, "new"))
      expect([await bodies(keys), await bodies(others)]).toEqual([new Set(["b"]), new Set(["a"])])
      expect(await router.release(fence(), "b", 60_000, signal())).toMatchObject({ kind: "busy" })
      await under.crash()
      await until("the list after a crash", async () => (await bodies(keys).catch(() => new Set())).has("b"))
      expect(await bodies(others)).toEqual(new Set(["a"]))
      await set(share(0))
      expect(await bodies(keys)).toEqual(new Set(["a"]))
      await set(share(0, "new"))
      expect(await bodies(keys)).toEqual(new Set(["b"]))
    })

    it("holds new requests during a swap where it can: no two releases answer at the same time; elsewhere nobody waits", async () => {
      const [a, b] = [await instance("a"), await instance("b")]
      const to = (old: number) =>
        routeTo([pool("old", old, { a }), pool("new", 100 - old, { b })], { holdRequests: 30_000 })
      await set(to(100))
      const slow = users.get(await listener(), "/slow").then(({ body }) => body)
      await until("the slow request", async () => a.waiting === 1)
      if (!router.can.holdsRequests) {
        // Then they overlap, and nobody waits.
        await set(to(0))
        expect((await users.get(await listener())).body).toBe("b")
        a.letGo()
        expect(await slow).toBe("a")
        return
      }
      let swapped = false
      const swap = set(to(0)).then(() => {
        swapped = true
      })
      await new Promise((resolve) => setTimeout(resolve, 100))
      const held = users.get(await listener())
      await new Promise((resolve) => setTimeout(resolve, 100))
      expect([swapped, b.asked.length]).toEqual([false, 0])
      a.letGo()
      await slow
      await swap
      expect((await held).body).toBe("b")
    })

    it("gives a cookie to who has none, and knows it again", async () => {
      const [a, b] = [await instance("a"), await instance("b")]
      const sticky = { by: "cookie", name: "side" } as const
      await set(routeTo([pool("r1", 50, { a }), pool("r2", 50, { b })], { sticky }))
      const address = await listener()
      for (let user = 0; user < 20; user++) {
        const first = await users.get(address)
        const cookie = first.headers["set-cookie"]?.[0]?.split(";")[0] ?? ""
        expect(cookie).toMatch(/^side=[\w-]{20,}$/)
        const again = await users.get(address, "/", { cookie: `theme=dark; ${cookie}` })
        expect([again.body, again.headers["set-cookie"]]).toEqual([first.body, undefined])
      }
    })

    it("swaps pools and replaces instances under load: nobody fails, nobody goes by the old table after the answer", async () => {
      const problems: string[] = []
      let running = true
      let wanted = ""
      let requests = 0
      const first = await instance("1")
      await set(routeTo([pool("r1", 100, { "papi-1": first })]))
      const address = await listener()
      const client = async () => {
        while (running) {
          const settled = wanted
          const got = await users.get(address).catch((error: unknown) => ({ status: 0, body: String(error) }))
          requests += 1
          const stale = settled === wanted && settled !== "" && got.body !== settled
          if (got.status !== 200 || stale) problems.push(`${got.status} ${got.body}, not ${settled}`)
        }
      }
      const clients = Array.from({ length: 8 }, client)
      let old = first
      for (let turn = 2; turn <= 6; turn++) {
        const next = await instance(String(turn))
        const both = (weight: number) =>
          routeTo(
            [
              pool(`r${old.name}`, 100 - weight, { [`papi-${old.name}`]: old }),
              pool(`r${next.name}`, weight, { [`papi-${next.name}`]: next }),
            ],
            { stable: `r${weight === 100 ? next.name : old.name}` },
          )
        for (const weight of [0, 100, 0, 100]) {
          wanted = ""
          await set(both(weight))
          wanted = weight === 100 ? next.name : old.name
          await new Promise((resolve) => setTimeout(resolve, 30))
        }
        await until(`papi-${old.name} to be released`, async () => {
          const answer = await router.release(fence(), `papi-${old.name}`, 5_000, signal())
          return answer.kind === "released"
        })
        await set(routeTo([pool(`r${next.name}`, 100, { [`papi-${next.name}`]: next })]))
        // Released means: it may be ended now, at once.
        await old.stop()
        old = next
      }
      running = false
      await Promise.all(clients)
      expect(problems).toEqual([])
      expect(requests).toBeGreaterThan(100)
    })

    it("releases an instance at weight 0 with nothing under way, and refuses its id for ever", async () => {
      const [a, b] = [await instance("a"), await instance("b")]
      const weights = (first: number) => routeTo([pool("r1", first, { a }), pool("r2", 100 - first, { b })])
      await set(weights(100))
      const address = await listener()
      const slow = users.get(address, "/slow")
      await until("the slow request to arrive", async () => a.waiting === 1)
      const ask = (drain: number) => router.release(fence(), "a", drain, signal())
      expect(await ask(60_000)).toEqual({ kind: "busy", weight: 100, inFlight: 1 })
      await set({ ...weights(0), stable: "r2" })
      expect(await ask(60_000)).toEqual({ kind: "busy", weight: 0, inFlight: 1 })
      expect((await router.state(signal())).inFlight.a).toBe(1)
      expect((await users.get(address)).body).toBe("b")
      a.letGo()
      expect((await slow).body).toBe("a")
      await until("the release", async () => (await ask(60_000)).kind === "released")
      expect(await ask(60_000)).toEqual({ kind: "released" })
      expect((await router.state(signal())).released).toEqual(["a"])
      expect(await router.setRoutes(fence(), [weights(0)], signal())).toMatchObject({ code: "invalid" })
      const late = router.release({ app: "papi", epoch: 0, generation: 9 }, "b", 1_000, signal())
      await expect(late).rejects.toThrow(/refused/)
    })

    it("cuts what is still under way after the drain", async () => {
      const [a, b] = [await instance("a"), await instance("b")]
      await set(routeTo([pool("r1", 100, { a }), pool("r2", 0, { b })]))
      const slow = users.get(await listener(), "/slow").then(
        ({ status }) => status,
        () => 0,
      )
      await until("the slow request to arrive", async () => a.waiting === 1)
      await set(routeTo([pool("r1", 0, { a }), pool("r2", 100, { b })], { stable: "r2" }))
      await until("the release", async () => {
        const answer = await router.release(fence(), "a", 300, signal())
        return answer.kind === "released"
      })
      expect(await slow).not.toBe(200)
    })

    it("sends nobody to an instance that is not there, and users of the stable pool never elsewhere", async () => {
      const [a, b] = [await instance("a"), await instance("b")]
      const { address } = b
      const port = Number(address.split(":")[1])
      await b.stop()
      await set(routeTo([pool("r1", 0, { a }), pool("r2", 100, { b: { address } })]))
      const entry = await listener()
      for (let n = 0; n < 20; n++) expect((await users.get(entry)).body).toBe("a")
      const back = await instance("b again", port)
      await until("the instance to be used", async () => (await users.get(entry)).body === back.name)
      await a.stop()
      await set(routeTo([pool("r1", 100, { a: { address: "127.0.0.1:1" } }), pool("r2", 0, { b: back })]))
      const { status, headers } = await users.get(entry)
      expect(status).toBeGreaterThanOrEqual(502)
      expect(headers["x-immunity-router"]).toMatch(/^(connect|no-instance)$/)
    })

    it("tells which instance refuses its connections", async () => {
      const [a, b] = [await instance("a"), await instance("b")]
      await set(routeTo([pool("r1", 100, { a, b })]))
      const address = await listener()
      expect((await users.get(address)).status).toBe(200)
      expect((await router.state(signal())).refusing).toEqual([])
      await b.stop()
      await until("b to be told", async () => {
        expect((await users.get(address)).body).toBe("a")
        return (await router.state(signal())).refusing?.includes("b")
      })
      expect((await router.state(signal())).refusing).toEqual(["b"])
    })

    it("asks instances how they are where it is told to: nobody is on one that never was well, nor on one that is ill", async () => {
      const [a, b] = [await instance("a"), await instance("b")]
      const health = { path: "/healthz", every: 100, timeout: 1_000, healthy: 2, unhealthy: 2 }
      b.isWell = false
      await set(routeTo([pool("r1", 100, { a, b })], { health }))
      const address = await listener()
      const bodies = async () => {
        const got = await Promise.all(Array.from({ length: 20 }, () => users.get(address)))
        return [...new Set(got.map(({ status, body }) => `${status} ${body}`))].sort().join()
      }
      await until("the first pass of a", async () => (await bodies()) === "200 a")
      for (let n = 0; n < 5; n++) expect(await bodies()).toBe("200 a")
      b.isWell = true
      await until("users on both", async () => (await bodies()) === "200 a,200 b")
      const told = async () => (await router.state(signal())).refusing?.join()
      expect(await told()).toBe("")
      a.isWell = false
      await until("users on b alone", async () => (await bodies()) === "200 b")
      await until("a to be told", async () => (await told()) === "a")
      a.isWell = true
      await until("users on both again", async () => (await bodies()) === "200 a,200 b")
      await until("nobody to be told", async () => (await told()) === "")
    })

    it("counts a refused connection also where another instance of the pool answered", async () => {
      const [a, b] = [await instance("a"), await instance("b")]
      await set(routeTo([pool("r1", 100, { a, b })]))
      const address = await listener()
      expect((await users.get(address)).status).toBe(200)
      await b.stop()
      for (let n = 0; n < 20; n++) expect((await users.get(address)).body).toBe("a")
      await until("the refusal to be counted", async () => {
        const found = (await router.counters(signal())).routes["papi/prod"]?.pools.r1
        return [found?.a, found?.b].reduce((sum, one) => sum + (one?.bad ?? 0), 0) > 0
      })
    })

    it("serves from its files after a crash, and remembers what it must never forget", async () => {
      const a = await instance("a")
      await set(routeTo([pool("r1", 100, { a })]))
      const before = await router.state(signal())
      await under.crash()
      const address = before.listeners["papi/prod"] ?? ""
      expect((await users.get(address)).body).toBe("a")
      const after = await router.state(signal())
      expect([after.apps, after.listeners]).toEqual([before.apps, before.listeners])
      expect(after.pid).not.toBe(before.pid)
      expect(await router.fence("papi", 0, signal())).toMatchObject({ kind: "refused", code: "stale" })
    })

    it("goes on when who commands it is gone, and knows the next one", async () => {
      const [a, b] = [await instance("a"), await instance("b")]
      await set(routeTo([pool("r1", 100, { a }), pool("r2", 0, { b })]))
      const address = await listener()
      await users.get(address)
      const before = await counted("r1", "a", 1)
      const state = await router.state(signal())
      const { boot } = await router.counters(signal())
      const next = await under.reconnect()
      expect(await next.state(signal())).toEqual(state)
      expect((await users.get(address)).body).toBe("a")
      const again = await until("counters", () => next.counters(signal()).catch(() => undefined))
      expect(again.boot === boot).toBe(router.can.keepsCounters)
      if (router.can.keepsCounters)
        expect(again.routes["papi/prod"]?.pools.r1?.a?.requests).toBe(before.requests + 1)
      await next.setRoutes(fence(), [routeTo([pool("r1", 0, { a }), pool("r2", 100, { b })])], signal())
      expect((await users.get(address)).body).toBe("b")
    })

    it("gets more routes while long answers are under way on others", async () => {
      const [a, b] = [await instance("a"), await instance("b")]
      const prod = routeTo([pool("r1", 100, { a })])
      await set(prod)
      const slow = users.get(await listener(), "/slow")
      await until("the slow request to arrive", async () => a.waiting === 1)
      await set(prod, routeTo([pool("p1", 100, { b })], { route: "papi/preview" }))
      expect((await users.get(await listener("papi/preview"))).body).toBe("b")
      expect((await users.get(await listener())).body).toBe("a")
      expect((await router.state(signal())).inFlight).toEqual({ a: 1, b: 0 })
      a.letGo()
      expect((await slow).body).toBe("a")
      await set(prod)
      expect(Object.keys((await router.state(signal())).listeners)).toEqual(["papi/prod"])
    })

    it("routes who was connected before there were more routes by the newest table too", async () => {
      const [a, b] = [await instance("a"), await instance("b")]
      const prod = (first: number) =>
        routeTo([pool("r1", first, { a }), pool("r2", 100 - first, first === 100 ? {} : { b })])
      await set(prod(100))
      const address = await listener()
      const all = (path = "/") => Promise.all(Array.from({ length: 8 }, () => users.get(address, path)))
      await all()
      const slow = users.get(address, "/slow").then(
        ({ status }) => status,
        () => 0,
      )
      await until("the slow request to arrive", async () => a.waiting === 1)
      await set(prod(100), routeTo([pool("p1", 100, { c: a })], { route: "papi/preview" }))
      await set(prod(0))
      expect((await all()).map(({ status, body }) => `${status} ${body}`)).toEqual(Array(8).fill("200 b"))
      expect(b.asked.map(({ headers }) => headers["x-forwarded-for"])).toEqual(Array(8).fill("127.0.0.1"))
      await counted("r2", "b", 8)
      await until("the release", async () => {
        const answer = await router.release(fence(), "a", 300, signal())
        return answer.kind === "released"
      })
      expect(await slow).not.toBe(200)
    })

    it("copies what is read, marked and without anybody's identity, and counts both sides of the same requests", async () => {
      const [a, b] = [await instance("a"), await instance("b")]
      const prod = routeTo([pool("r1", 100, { a })], {
        mirror: { to: "papi/preview", sample: 1, timeout: 60_000, deny: ["*/logout*"], tell: true },
      })
      await set(prod, routeTo([pool("p1", 100, { b })], { route: "papi/preview" }))
      const address = await listener()
      const secret = {
        cookie: "session=1",
        authorization: "Basic eDp5",
        accept: "text/plain",
      }
      for (const path of ["/logout?x", "/a?x=%20%2F", "/bad", "/log%6Fut", "/c"])
        await users.get(address, path, secret)
      const mirror = await until("the copies", async () => {
        const found = (await router.counters(signal())).routes["papi/prod"]?.mirror
        return found && found.candidate.requests >= 3 ? found : undefined
      })
      expect(mirror).toMatchObject({
        to: "papi/preview",
        sent: 3,
        dropped: 0,
        primary: { requests: 3, bad: 1 },
        candidate: { requests: 3, bad: 1 },
      })
      expect(b.asked.map(({ url }) => url).sort()).toEqual(["/a?x=%20%2F", "/bad", "/c"])
      for (const { method, headers } of b.asked) {
        expect(method).toBe("GET")
        expect(headers).toMatchObject({ accept: "text/plain", "x-mirror": "1", host: address })
        expect(headers).not.toHaveProperty("cookie")
        expect(headers).not.toHaveProperty("authorization")
        expect(headers).not.toHaveProperty("x-immunity-copy")
      }
      expect(a.asked.map(({ headers }) => headers["x-mirror"])).toEqual(Array(5).fill(undefined))
      const [told] = mirror.recent ?? []
      expect(told).toMatchObject({ method: "GET", target: "/a?x=%20%2F", headers: { accept: "text/plain" } })
      expect(Object.keys(told?.headers ?? {})).not.toContain("cookie")
    })

    it("answers users as before while the candidate of their copies hangs, and drops what is too much", async () => {
      const [a, b] = [await instance("a"), await instance("b")]
      const prod = routeTo([pool("r1", 100, { a })], {
        mirror: { to: "papi/preview", sample: 1, timeout: 3_000 },
      })
      await set(prod, routeTo([pool("p1", 100, { b })], { route: "papi/preview" }))
      b.hang()
      const address = await listener()
      const got = await Promise.all(Array.from({ length: 300 }, () => users.get(address)))
      expect(got.every(({ status, body }) => status === 200 && body === "a")).toBe(true)
      const mirror = await until("every copy to end", async () => {
        const found = (await router.counters(signal())).routes["papi/prod"]?.mirror
        return found && found.candidate.requests + found.dropped >= 300 ? found : undefined
      })
      expect(mirror.candidate.bad).toBe(mirror.candidate.requests)
      expect(mirror.dropped).toBeGreaterThan(0)
      expect(mirror.sent + mirror.dropped).toBe(300)
    })
  })
}
