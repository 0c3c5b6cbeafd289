import { describe, expect, it } from "vitest"
import type { RouteSpec } from "../core/pipeline/effects.ts"
import type { Fence, HeldRouter } from "../ports/router.ts"
import { type RouterKind, severalRouters } from "./several-routers.ts"

const signal = AbortSignal.timeout(60_000)
const fence = (generation: number): Fence => ({ app: "papi", epoch: 1, generation })
const route = (name: string, router?: string): RouteSpec => ({
  route: `papi/${name}`,
  router,
  listen: "127.0.0.1:8103",
  salt: "",
  sticky: { by: "none" },
  pools: [{ pool: "r1", weight: 100, instances: [{ id: name, address: "127.0.0.1:1" }] }],
  stable: "r1",
  mirror: undefined,
})

type Fake = RouterKind & { opened: number; inFlight: number; readonly told: string[] }

/** A router that remembers what it was told, in a diary that all of them share. */
function fake(name: string, diary: string[] = [], wasUsed = false): Fake {
  let apps: Record<string, { epoch: number; generation: number; routes: readonly RouteSpec[] }> = {}
  const released: string[] = []
  const kind: Fake = {
    told: diary,
    opened: 0,
    inFlight: 0,
    wasUsed,
    async open() {
      kind.opened += 1
      const router: HeldRouter = {
        can: {
          evenShares: true,
          keepsCounters: true,
          mirrors: "beside",
          selections: ["hash"],
          holdsRequests: false,
        },
        fence: async () => ({ kind: "applied" }),
        async setRoutes({ app, epoch, generation }, routes) {
          diary.push(`${name}: ${routes.map((one) => one.route).join(" ") || "nothing"}`)
          apps = { ...apps, [app]: { epoch, generation, routes } }
          return { kind: "applied" }
        },
        async release(_fence, id) {
          if (kind.inFlight > 0) return { kind: "busy", weight: 0, inFlight: kind.inFlight }
          if (!released.includes(id)) released.push(id)
          return { kind: "released" }
        },
        state: async () => ({
          pid: kind.opened,
          apps,
          listeners: Object.fromEntries(
            (apps.papi?.routes ?? []).map((one) => [one.route, `${name}:${one.route}`]),
          ),
          inFlight: { both: 1 },
          released: [...released],
          degraded: undefined,
        }),
        counters: async () => ({ boot: name, at: 5, routes: { [name]: { pools: {}, mirror: undefined } } }),
        close: async () => undefined,
      }
      return router
    },
  }
  return kind
}

describe("several routers on one server", () => {
  it("start only when a route names them, or when they served here before", async () => {
    const [own, other, used] = [fake("own"), fake("other"), fake("used", [], true)]
    const routers = await severalRouters("own", { own, other, used })
    await routers.setRoutes(fence(1), [route("prod")], signal)
    expect([own.opened, other.opened, used.opened]).toEqual([1, 0, 1])
    await routers.setRoutes(fence(2), [route("prod", "other")], signal)
    await routers.setRoutes(fence(3), [route("prod", "other")], signal)
    expect(other.opened).toBe(1)
  })

  it("are all known to whoever ends them, also one that is just being taken over", async () => {
    const [own, used, broken] = [fake("own"), fake("used", [], true), fake("broken", [], true)]
    const taken = Promise.withResolvers<void>()
    const routers = await severalRouters("own", {
      own,
      used: { ...used, open: () => taken.promise.then(() => used.open()) },
      broken: { ...broken, open: () => Promise.reject(new Error("it does not start")) },
    })
    const known = routers.pids()
    taken.resolve()
    expect(await known).toEqual([1, 1])
  })

  it("hand a route over: who has its address gives it away before the other takes it", async () => {
    const diary: string[] = []
    const routers = await severalRouters("own", { own: fake("own", diary), other: fake("other", diary) })
    await routers.setRoutes(fence(1), [route("a"), route("b")], signal)
    await routers.setRoutes(fence(2), [route("a"), route("b", "other")], signal)
    await routers.setRoutes(fence(3), [route("a", "other"), route("b", "other")], signal)
    await routers.setRoutes(fence(4), [route("a"), route("b", "other")], signal)
    expect(diary).toEqual([
      "own: papi/a papi/b",
      "own: papi/a",
      "other: papi/b",
      "own: nothing",
      "other: papi/a papi/b",
      "other: papi/b",
      "own: papi/a",
    ])
  })

  it("are seen as one: routes, listeners and counters of all, what is under way added up", async () => {
    const routers = await severalRouters("own", { own: fake("own"), other: fake("other") })
    await routers.setRoutes(fence(7), [route("a"), route("b", "other")], signal)
    const state = await routers.state(signal)
    expect(state.apps.papi).toMatchObject({ epoch: 1, generation: 7 })
    expect(state.apps.papi?.routes.map((one) => one.route)).toEqual(["papi/a", "papi/b"])
    expect(state.listeners).toEqual({ "papi/a": "own:papi/a", "papi/b": "other:papi/b" })
    expect(state.inFlight).toEqual({ both: 2 })
    const { boot, routes } = await routers.counters(signal)
    expect([boot, Object.keys(routes)]).toEqual(["own+other", ["own", "other"]])
  })

  it("release an instance only when all of them have", async () => {
    const other = fake("other")
    const routers = await severalRouters("own", { own: fake("own"), other })
    await routers.setRoutes(fence(1), [route("a", "other")], signal)
    other.inFlight = 2
    expect(await routers.release(fence(2), "a", 1_000, signal)).toMatchObject({ kind: "busy", inFlight: 2 })
    expect((await routers.state(signal)).released).toEqual([])
    other.inFlight = 0
    expect(await routers.release(fence(3), "a", 1_000, signal)).toEqual({ kind: "released" })
    expect((await routers.state(signal)).released).toEqual(["a"])
  })

  it("say what is wrong: a name that nobody knows, a router that cannot be started; the others serve on", async () => {
    const broken = { wasUsed: false, open: () => Promise.reject(new Error("HAProxy is not on this server")) }
    const routers = await severalRouters("own", { own: fake("own"), broken })
    expect(await routers.setRoutes(fence(1), [route("a", "envoy")], signal)).toEqual({
      kind: "refused",
      code: "invalid",
      because: 'there is no router "envoy"; there are own, broken',
    })
    expect(await routers.setRoutes(fence(2), [route("a", "broken")], signal)).toMatchObject({
      kind: "refused",
      because: "HAProxy is not on this server",
    })
    expect((await routers.state(signal)).degraded).toBe("broken: HAProxy is not on this server")
    expect(await routers.setRoutes(fence(3), [route("a")], signal)).toEqual({ kind: "applied" })
  })
})
