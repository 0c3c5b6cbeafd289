import { expect, it } from "vitest"
import type { RouteSpec } from "../core/pipeline/effects.ts"
import { nothing } from "../core/pipeline/nothing.ts"
import type { Observed } from "../ports/agent.ts"
import { serverWith } from "../testing/observed.ts"
import { released, type World } from "./observe.ts"
import { sparing, straysIn } from "./strays.ts"

const papi = nothing("papi")
const server = (name: string, ids: readonly string[], released?: readonly string[]): Observed => ({
  ...serverWith(name, ids),
  router: released && { pid: 1, apps: {}, inFlight: {}, released, listeners: {}, degraded: undefined },
})
const worldOf = (...servers: readonly Observed[]): World => ({
  servers: new Map(servers.map((one) => [one.server, one])),
  problems: {},
})

/** The first server routes; those that joined run instances alone, and their agents say that they released nothing. */
const strays = (app: typeof papi, world: World, routers: readonly string[] = ["local"]) => {
  const agents = [...world.servers.keys(), ...routers].map(
    (name) => [name, routers.includes(name) ? {} : { instancesOnly: true }] as const,
  )
  return straysIn(app, world, released(world, new Map(agents)))
}
const late = "papi-prod-r1-1"

it("what runs and is not in the journal is let go of, then ended; what is another application's is not touched", () => {
  expect(strays(papi, worldOf(server("local", [], []), server("a", [late, "shop-prod-r1-1"], [])))).toEqual([
    { kind: "release-instance", server: "a", instance: late, drain: 5_000 },
  ])
  expect(strays(papi, worldOf(server("local", [], [late]), server("a", [late], [])))).toEqual([
    { kind: "stop-instance", server: "a", instance: late, grace: 5_000 },
  ])
})

it("while one router has not let go of it, or does not answer, it is not ended", () => {
  const both = ["local", "second"]
  const there = server("a", [late], [])
  const waits = [{ kind: "release-instance" }]
  expect(
    strays(papi, worldOf(server("local", [], [late]), server("second", [], []), there), both),
  ).toMatchObject(waits)
  expect(strays(papi, worldOf(server("local", [], [late]), there), both)).toMatchObject(waits)
  expect(strays(papi, worldOf(there))).toMatchObject(waits)
})

it("what the journal knows is no stray, and one that a table still names is left alone until it does not", () => {
  const known = { ...papi, regions: [{ instances: { [late]: {} } }] } as unknown as typeof papi
  expect(strays(known, worldOf(server("local", [late], [])))).toEqual([])
  expect(strays(papi, showing([route([late])], [late]))).toEqual([])
  expect(strays(papi, showing([route([late], 0)], [late]))).toHaveLength(1)
})

const route = (instances: readonly string[], weight = 100, name = "papi/prod"): RouteSpec => ({
  route: name,
  listen: "127.0.0.1:8101",
  salt: "",
  sticky: { by: "none" },
  pools: [{ pool: "r9", weight, instances: instances.map((id) => ({ id, address: "127.0.0.1:1" })) }],
  stable: "r9",
  mirror: undefined,
})
/** A router that shows this table, beside instances that are as said. */
const showing = (
  table: readonly RouteSpec[],
  ids: readonly string[],
  state: "ready" | "starting" | "ended" = "ready",
) => {
  const seen = server("local", ids, [])
  return worldOf({
    ...seen,
    instances: seen.instances.map((instance) => ({ ...instance, state })),
    router: seen.router && { ...seen.router, apps: { papi: { epoch: 3, generation: 1, routes: table } } },
  })
}

it("whoever serves users, and is not in the journal, keeps them until somebody else can", () => {
  const stray = route(["papi-prod-r9-1"])
  const world = showing([stray], ["papi-prod-r9-1"])
  expect(sparing(papi, [route([])], world, "local")).toEqual([stray])
  // A journal that does not even know the address closes nothing.
  expect(sparing(papi, [], world, "local")).toEqual([stray])
  const other = route(["papi-test-r2-1"], 100, "papi/test")
  expect(sparing(papi, [other, route([])], world, "local")).toEqual([other, stray])
  const own = [route(["papi-prod-r2-1"])]
  const beside = (state: "ready" | "starting") =>
    showing([stray], ["papi-prod-r9-1", "papi-prod-r2-1"], state)
  expect(sparing(papi, own, beside("ready"), "local")).toBe(own)
  // The journal may call an instance ready that nobody sees any more.
  expect(sparing(papi, own, world, "local")).toEqual([stray])
})

it("until as many can as serve them now, or as the journal wants", () => {
  const prod = (size: number) =>
    ({ ...papi, regions: [{ name: "prod", policy: { size }, instances: {} }] }) as unknown as typeof papi
  const many = ["papi-prod-r9-1", "papi-prod-r9-2", "papi-prod-r9-3"]
  const own = [route(["papi-prod-r2-1"])]
  const world = showing([route(many)], [...many, "papi-prod-r2-1"])
  expect(sparing(prod(3), own, world, "local")).not.toBe(own)
  expect(sparing(prod(1), own, world, "local")).toBe(own)
})

it("also while the server that runs them does not answer, but its router does", () => {
  const stray = route(["papi-prod-r9-1"])
  const silent = { ...showing([stray], []), problems: { a: "no answer" } }
  expect(sparing(papi, [route([])], silent, "local")).toEqual([stray])
})

it("and not when it ended, has no share, belongs to the journal, or the application was removed", () => {
  const wanted = [route([])]
  const id = "papi-prod-r9-1"
  expect(sparing(papi, wanted, showing([route([id])], [id], "ended"), "local")).toBe(wanted)
  expect(sparing(papi, wanted, showing([route([id], 0)], [id]), "local")).toBe(wanted)
  const known = { ...papi, regions: [{ instances: { [id]: {} } }] } as unknown as typeof papi
  expect(sparing(known, wanted, showing([route([id])], [id]), "local")).toBe(wanted)
  const removed = { ...papi, removed: { at: 0, by: "Mira", reason: "gone" } }
  expect(sparing(removed, [], showing([route([id])], [id]), "local")).toEqual([])
})
