import { expect, it } from "vitest"
import { nothing } from "../core/pipeline/nothing.ts"
import type { Observed } from "../ports/agent.ts"
import type { World } from "./observe.ts"
import { straysIn } from "./strays.ts"

const papi = nothing("papi")
const server = (name: string, ids: readonly string[], released?: readonly string[]): Observed => ({
  server: name,
  at: 0,
  instances: ids.map((id) => ({
    id,
    app: id.split("-")[0] ?? "",
    state: "ready",
    address: "127.0.0.1:1",
    startedAt: 0,
    exit: undefined,
    memory: undefined,
    differences: [],
    probe: undefined,
  })),
  jobs: [],
  router: released && { pid: 1, apps: {}, inFlight: {}, released, listeners: {}, degraded: undefined },
  routerProblem: undefined,
  diskFree: 1,
})
const worldOf = (...servers: readonly Observed[]): World => ({
  servers: new Map(servers.map((one) => [one.server, one])),
  problems: {},
})

it("what runs and is not in the journal is let go of, then ended; what is another application's is not touched", () => {
  const late = "papi-prod-r1-1"
  expect(straysIn(papi, worldOf(server("local", [], []), server("a", [late, "shop-prod-r1-1"])))).toEqual([
    { kind: "release-instance", server: "a", instance: late, drain: 5_000 },
  ])
  expect(straysIn(papi, worldOf(server("local", [], [late]), server("a", [late])))).toEqual([
    { kind: "stop-instance", server: "a", instance: late, grace: 5_000 },
  ])
})

it("while one router has not let go of it, or none can be seen, it is not ended", () => {
  const late = "papi-prod-r1-1"
  const routers = [server("local", [], [late]), server("second", [], [])]
  expect(straysIn(papi, worldOf(...routers, server("a", [late])))).toMatchObject([
    { kind: "release-instance" },
  ])
  expect(straysIn(papi, worldOf(server("a", [late])))).toMatchObject([{ kind: "release-instance" }])
})

it("what the journal knows is no stray", () => {
  const known = { ...papi, regions: [{ instances: { "papi-prod-r1-1": {} } }] } as unknown as typeof papi
  expect(straysIn(known, worldOf(server("a", ["papi-prod-r1-1"])))).toEqual([])
})
