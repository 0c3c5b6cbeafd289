import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import {
  Cleanup,
  fetchFrom,
  inFrontOf,
  instance,
  named,
  pool,
  rawClient,
  routeTo,
  TestRouter,
  type Told,
  until,
} from "./router.fixture.ts"
import type { RouteTable } from "./table.ts"

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

const put = (
  router: TestRouter,
  epoch: number,
  generation: number,
  routes: readonly unknown[],
  app = "papi",
): Promise<Told> => router.control("PUT", "/table", { app, epoch, generation, routes })

const code = ({ status, body }: Told) => [status, (body as { error?: { code: string } }).error?.code]

describe("a table", () => {
  it("47: is swapped under load with no failed request, and none goes by the old one after the answer", async () => {
    const pools = [await named(cleanup, "one"), await named(cleanup, "two")] as const
    const router = await TestRouter.open(cleanup)
    const weights = (first: number): RouteTable =>
      routeTo([pool("r1", first, pools[0]), pool("r2", 100 - first, pools[1])])
    await router.route(weights(100))
    const address = await router.address()
    let wanted = "one"
    let running = true
    let requests = 0
    const failures: string[] = []
    const client = async () => {
      while (running) {
        const settled = wanted
        const { status, body } = await fetchFrom(address)
        requests += 1
        // The swap may happen while the request is under way: only a settled table is binding.
        if (status !== 200 || (settled === wanted && settled !== "" && body !== settled))
          failures.push(`${status} ${body}, not ${settled}`)
      }
    }
    const clients = Array.from({ length: 16 }, client)
    for (let swap = 0; swap < 40; swap++) {
      wanted = ""
      await router.route(weights(swap % 2 === 0 ? 0 : 100))
      wanted = swap % 2 === 0 ? "two" : "one"
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    running = false
    await Promise.all(clients)
    expect(failures).toEqual([])
    expect(requests).toBeGreaterThan(200)
  })

  it("of weights 5 and 95 splits requests within 4 sigma, and the counters add up", async () => {
    const router = await TestRouter.open(cleanup)
    await router.route(
      routeTo([pool("r1", 95, await named(cleanup, "one")), pool("r2", 5, await named(cleanup, "two"))]),
    )
    const address = await router.address()
    const seen = { one: 0, two: 0 }
    const total = 1_000
    const client = async () => {
      while (seen.one + seen.two < total) seen[(await fetchFrom(address)).body as "one" | "two"] += 1
    }
    await Promise.all(Array.from({ length: 8 }, client))
    const all = seen.one + seen.two
    expect(Math.abs(seen.two - all * 0.05)).toBeLessThan(4 * Math.sqrt(all * 0.05 * 0.95))
    for (const [name, which] of [
      ["r1", "one"],
      ["r2", "two"],
    ] as const) {
      const { requests, status, histogram } = await router.counted(name, `${name}-0`)
      expect([requests, status["2xx"], histogram.reduce((sum, [, count]) => sum + count, 0)]).toEqual(
        Array(3).fill(seen[which]),
      )
    }
  })

  it("48: keeps users on their side over a restart, and gives a cookie to who has none", async () => {
    const router = await TestRouter.open(cleanup)
    const route = routeTo(
      [pool("r6", 50, await named(cleanup, "old")), pool("r7", 50, await named(cleanup, "new"))],
      {
        sticky: { by: "cookie", name: "side" },
        stable: "r6",
        expose: true,
      },
    )
    await router.route(route)
    const address = await router.address()
    const users = new Map<string, string>()
    for (let n = 0; n < 40; n++) {
      const { headers, body } = await fetchFrom(address)
      const cookie = headers["set-cookie"]?.[0]?.split(";")[0] ?? ""
      expect(cookie).toMatch(/^side=[\w-]{20,}$/)
      expect(headers["x-immunity-pool"]).toBe(body === "new" ? "r7" : "r6")
      users.set(cookie, body)
    }
    expect(new Set(users.values())).toEqual(new Set(["old", "new"]))
    await router.kill()
    await router.start()
    for (const [cookie, side] of users) {
      const { headers, body } = await fetchFrom(address, { headers: { cookie } })
      expect(headers["set-cookie"]).toBeUndefined()
      expect(body).toBe(side)
    }
  })

  it("57: that is older than the last one is refused, whoever sends it", async () => {
    const router = await TestRouter.open(cleanup)
    const route = routeTo([])
    expect(code(await put(router, 2, 5, [route]))).toEqual([200, undefined])
    expect(code(await put(router, 2, 5, [route]))).toEqual([200, undefined])
    expect(code(await put(router, 2, 5, [{ ...route, salt: "other" }]))).toEqual([409, "stale"])
    expect(code(await put(router, 2, 4, [route]))).toEqual([409, "stale"])
    expect(code(await put(router, 1, 9, [route]))).toEqual([409, "stale"])
    expect(code(await router.control("POST", "/fence", { app: "papi", epoch: 1 }))).toEqual([409, "stale"])
    expect(code(await router.control("POST", "/fence", { app: "papi", epoch: 3 }))).toEqual([200, undefined])
    expect((await router.state()).apps.papi).toMatchObject({ epoch: 3, generation: 0, routes: [route] })
    expect(code(await put(router, 2, 6, [route]))).toEqual([409, "stale"])
    expect(code(await put(router, 3, 1, [route]))).toEqual([200, undefined])
    await router.kill()
    await router.start()
    expect(code(await put(router, 2, 7, [route]))).toEqual([409, "stale"])
  })

  it.each([
    ["weights that do not sum to 100", { pools: [{ pool: "r1", weight: 99, instances: [] }] }],
    [
      "a weight below 0",
      {
        pools: [
          { pool: "r1", weight: -1, instances: [] },
          { pool: "r2", weight: 101, instances: [] },
        ],
      },
    ],
    ["a weight that is no number", { pools: [{ pool: "r1", weight: null, instances: [] }] }],
    [
      "one id twice",
      {
        pools: [
          {
            pool: "r1",
            weight: 100,
            instances: [
              { id: "a", address: "h:1" },
              { id: "a", address: "h:1" },
            ],
          },
        ],
      },
    ],
    [
      "one pool twice",
      {
        pools: [
          { pool: "r1", weight: 50, instances: [] },
          { pool: "r1", weight: 50, instances: [] },
        ],
      },
    ],
    [
      "an address without a port",
      { pools: [{ pool: "r1", weight: 100, instances: [{ id: "a", address: "h" }] }] },
    ],
    ["a cookie that would split the answer", { sticky: { by: "cookie", name: "a\r\nb" } }],
    ["an unknown way to recognise users", { sticky: { by: "face" } }],
    ["a route that splits a line", { route: "a\r\nb" }],
    ["no address", { listen: undefined }],
    ["a sample above 1", { mirror: { to: "x", sample: 2, timeoutMs: 1 } }],
  ])("with %s is refused whole, with the place", async (_, wrong) => {
    const router = await TestRouter.open(cleanup)
    const told = await put(router, 1, 1, [{ ...routeTo([]), ...wrong }])
    expect(code(told)).toEqual([422, "invalid"])
    expect((await router.state()).apps).toEqual({})
  })

  it("belongs to its application: others keep theirs, and cannot take its routes or instances", async () => {
    const one = await named(cleanup, "one")
    const { router } = await inFrontOf(cleanup, [one])
    expect((await put(router, 1, 1, [routeTo([], { route: "api/prod" })], "api")).status).toBe(200)
    expect((await fetchFrom(await router.address())).body).toBe("one")
    expect(code(await put(router, 1, 2, [routeTo([])], "api"))).toEqual([422, "invalid"])
    const theirs = routeTo([pool("r1", 100, one)], { route: "api/prod" })
    expect(code(await put(router, 1, 2, [theirs], "api"))).toEqual([422, "invalid"])
  })
})

describe("an address", () => {
  it("that somebody else has is named, and nothing of the table is applied", async () => {
    const busy = createServer().listen(0, "127.0.0.1")
    cleanup.add(() => busy.close())
    await until("the port", () => busy.listening || undefined)
    const { port } = busy.address() as AddressInfo
    const { router } = await inFrontOf(cleanup, [await named(cleanup, "one")])
    const routes = [
      routeTo([], { route: "papi/new" }),
      routeTo([]),
      routeTo([], { route: "papi/busy", listen: `127.0.0.1:${port}` }),
    ]
    const told = await put(router, 1, 2, routes)
    expect(code(told)).toEqual([409, "address-in-use"])
    expect(JSON.stringify(told.body)).toContain(`127.0.0.1:${port}`)
    expect(Object.keys((await router.state()).listeners)).toEqual(["papi/prod"])
    expect((await fetchFrom(await router.address())).body).toBe("one")
  })

  it("cannot be that of two routes", async () => {
    const router = await TestRouter.open(cleanup)
    await router.route(routeTo([]))
    const address = await router.address()
    const routes = [routeTo([], { listen: address }), routeTo([], { route: "papi/b", listen: address })]
    expect(code(await put(router, 1, 2, routes))).toEqual([409, "address-in-use"])
  })

  it("that was chosen once stays, over tables and restarts", async () => {
    const { router, address } = await inFrontOf(cleanup, [await named(cleanup, "one")])
    await router.route(routeTo([]), routeTo([], { route: "papi/b" }))
    expect(await router.address()).toBe(address)
    expect(await router.address("papi/b")).not.toBe(address)
    await router.kill()
    await router.start()
    expect(await router.address()).toBe(address)
  })

  it("may move to another route in one step", async () => {
    const [one, two] = [await named(cleanup, "one"), await named(cleanup, "two")]
    const router = await TestRouter.open(cleanup)
    await router.route(routeTo([]), routeTo([], { route: "papi/b" }))
    const [a, b] = [await router.address(), await router.address("papi/b")]
    const fixed = (listen: string, route: string, to: typeof one) =>
      routeTo([pool("r1", 100, to)], { listen, route })
    await router.route(fixed(a, "papi/prod", one), {
      ...fixed(b, "papi/b", two),
      pools: [pool("r2", 100, two)],
    })
    await router.route(fixed(b, "papi/prod", one), {
      ...fixed(a, "papi/b", two),
      pools: [pool("r2", 100, two)],
    })
    expect((await fetchFrom(b)).body).toBe("one")
    expect((await fetchFrom(a)).body).toBe("two")
  })

  it("that no table names any more closes; what is under way finishes", async () => {
    const one = await instance(cleanup, (_, response) => {
      setTimeout(() => response.end("done"), 100)
    })
    const { router, address } = await inFrontOf(cleanup, [one])
    const idle = rawClient(cleanup, address)
    const slow = fetchFrom(address)
    await until("the request", () => one.seen[0])
    await router.route()
    expect((await slow).body).toBe("done")
    await idle.over
    await expect(fetchFrom(address)).rejects.toThrow(/ECONNREFUSED/)
  })
})

describe("the release of an instance", () => {
  it("is refused while it has weight or requests, and then final", async () => {
    let finish = () => {}
    const one = await instance(cleanup, (_, response) => {
      finish = () => response.end("done")
    })
    const two = await named(cleanup, "two")
    const router = await TestRouter.open(cleanup)
    await router.route(routeTo([pool("r1", 100, one), pool("r2", 0, two)]))
    const address = await router.address()
    const slow = fetchFrom(address)
    await until("the request", () => one.seen[0])
    expect((await router.release("r1-0")).body).toEqual({ released: false, weight: 100, inFlight: 1 })
    await router.route(routeTo([pool("r1", 0, one), pool("r2", 100, two)]))
    expect((await router.release("r1-0")).body).toEqual({ released: false, weight: 0, inFlight: 1 })
    finish()
    expect((await slow).body).toBe("done")
    await until(
      "the release",
      async () => ((await router.release("r1-0")).body as { released: boolean }).released || undefined,
    )
    expect((await router.release("r1-0")).body).toEqual({ released: true })
    const state = await router.state()
    expect(state.tombstones).toEqual(["r1-0"])
    expect(JSON.stringify(state.apps)).not.toContain("r1-0")
    expect(code(await put(router, 1, 99, [routeTo([pool("r1", 0, one), pool("r2", 100, two)])]))).toEqual([
      422,
      "released",
    ])
    await router.kill()
    await router.start()
    expect(code(await put(router, 1, 99, [routeTo([pool("r1", 0, one), pool("r2", 100, two)])]))).toEqual([
      422,
      "released",
    ])
    expect((await fetchFrom(address)).body).toBe("two")
  })

  it("is refused to an older writer", async () => {
    const router = await TestRouter.open(cleanup)
    await router.control("POST", "/fence", { app: "papi", epoch: 5 })
    const order = { app: "papi", epoch: 4, generation: 1, instance: "r1-0" }
    expect(code(await router.control("POST", "/release", order))).toEqual([409, "stale"])
    expect((await router.state()).tombstones).toEqual([])
  })

  it("closes an endless answer once the deadline at weight 0 has passed, not before", async () => {
    const one = await instance(cleanup, (_, response) => void response.write("for ever"))
    const { router, address } = await inFrontOf(cleanup, [one])
    const client = rawClient(cleanup, address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await until("the answer", () => client.text().includes("for ever") || undefined)
    expect((await router.release("r1-0", 0)).body).toMatchObject({ released: false, weight: 100 })
    await router.route()
    expect((await router.release("r1-0", 60_000)).body).toEqual({ released: false, weight: 0, inFlight: 1 })
    expect((await router.release("r1-0", 0)).body).toEqual({ released: true })
    expect(await client.over).toBe("broken")
    expect(await router.counted("r1", "r1-0")).toMatchObject({
      requests: 1,
      errors: { reset: 0 },
      inFlight: 0,
    })
  })
})
