/**
 * An agent as the control plane meets it: the real wire on the real socket, and behind it instances, jobs and routes that
 * are entries in memory. Tells its parent when orders arrive. Forty thousand processes do not fit on two cores.
 *
 *   node bench/scale/stand-in.ts CONFIG.json
 */
import { mkdirSync, readFileSync } from "node:fs"
import { serveAgent } from "../../src/agent/server.ts"
import type { RouteSpec } from "../../src/core/pipeline/effects.ts"
import type { Agent, AgentInstance, AgentJob, Observed } from "../../src/ports/agent.ts"
import type { Counters } from "../../src/ports/counters.ts"
import { nameOf, renamed, type Template } from "./history.ts"

export type Config = {
  readonly dir: string
  readonly apps: number
  readonly template: Pick<Template, "instances" | "routes">
}

/** What is told of an order: which, of whom, and when it arrived. */
export type Arrival = {
  readonly verb: "start" | "routes"
  readonly app: string
  /** Of a start: the instance. Of routes: the weights by route and pool. */
  readonly what: string
  readonly at: number
}

const startsIn = 300
const testsIn = 200
const requestsPerSecond = 50

type Place = {
  epoch: number
  generation: number
  routes: readonly RouteSpec[]
  readonly instances: Map<string, AgentInstance>
  readonly jobs: Map<string, AgentJob>
  readonly released: Set<string>
  changedIn: number
}

const config = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as Config
const began = Date.now()
const life = `${began}`
let looks = 1
const places = new Map<string, Place>()
/** Newest last, so that news are read from the end. */
const changes: { readonly app: string; readonly look: number }[] = []

for (let number = 0; number < config.apps; number++) {
  const app = nameOf(number)
  const { instances, routes } = JSON.parse(
    renamed(JSON.stringify(config.template), app),
  ) as Config["template"]
  places.set(app, {
    ...empty(),
    epoch: 1,
    routes,
    instances: new Map(instances.map(({ id, address }) => [id, instance(app, id, address, "ready")])),
  })
}

function empty(): Place {
  return {
    epoch: 0,
    generation: 0,
    routes: [],
    instances: new Map(),
    jobs: new Map(),
    released: new Set(),
    changedIn: 0,
  }
}

function instance(app: string, id: string, address: string, state: AgentInstance["state"]): AgentInstance {
  return {
    id,
    app,
    state,
    address,
    startedAt: began,
    exit: undefined,
    memory: undefined,
    differences: [],
    probe: undefined,
  }
}

function placeOf(app: string): Place {
  const known = places.get(app) ?? empty()
  places.set(app, known)
  return known
}

function changed(app: string): void {
  const place = placeOf(app)
  if (place.changedIn === looks) return
  place.changedIn = looks
  changes.push({ app, look: looks })
}

function tell(verb: Arrival["verb"], app: string, what: string): void {
  const arrival: Arrival = { verb, app, what, at: Date.now() }
  process.send?.(arrival)
}

const done = { kind: "done" } as const

function observed(apps: readonly string[]): Observed {
  const known = apps.map((app) => [app, placeOf(app)] as const)
  return {
    server: "local",
    at: Date.now(),
    instances: known.flatMap(([, { instances }]) => [...instances.values()]),
    jobs: known.flatMap(([, { jobs }]) => [...jobs.values()]),
    router: {
      pid: process.pid,
      apps: Object.fromEntries(
        known.map(([app, { epoch, generation, routes }]) => [app, { epoch, generation, routes }]),
      ),
      listeners: Object.fromEntries(
        known.flatMap(([, { routes }]) => routes.map(({ route }) => [route, "127.0.0.1:1"])),
      ),
      inFlight: {},
      released: known.flatMap(([, { released }]) => [...released]),
      degraded: undefined,
    },
    routerProblem: undefined,
    diskFree: 1e12,
  }
}

/** Every pool has answered well since the beginning, in proportion to its weight. */
function counted(weight: number, share: number): Counters {
  const requests = Math.floor((((Date.now() - began) / 1_000) * requestsPerSecond * weight) / 100 / share)
  return {
    requests,
    bad: 0,
    latency: [
      [40, Math.floor(requests / 2)],
      [41, requests - Math.floor(requests / 2)],
    ],
  }
}

const agent: Agent = {
  server: "local",
  async fence(app, epoch) {
    const place = placeOf(app)
    if (epoch < place.epoch)
      return { kind: "refused", because: `epoch ${epoch} is older than ${place.epoch}` }
    place.epoch = epoch
    return done
  },
  observe: async (apps) => observed(apps),
  async news(since) {
    const [given, look] = (since ?? "").split(" ")
    const mark = `${life} ${looks++}`
    if (given !== life) return { mark, changed: "all" }
    const news = new Set<string>()
    for (let i = changes.length - 1; i >= 0; i--) {
      const change = changes[i]
      if (!change || change.look <= Number(look)) break
      news.add(change.app)
    }
    return { mark, changed: [...news] }
  },
  async putSource(_fence, _commit, tar) {
    tar.resume()
    await new Promise((resolve) => tar.once("end", resolve))
    return done
  },
  async runJob({ app }, job) {
    const place = placeOf(app)
    const running = { id: job.id, app, state: "running", startedAt: Date.now(), outcome: undefined } as const
    place.jobs.set(job.id, running)
    setTimeout(() => {
      const outcome =
        job.kind === "build"
          ? ({ kind: "built", digest: `sha256:${job.commit.padEnd(64, "0")}`, bytes: 1 } as const)
          : ({ kind: "passed" } as const)
      place.jobs.set(job.id, { ...running, state: "ended", outcome })
      changed(app)
    }, testsIn)
    return done
  },
  async startInstance({ app }, { id }) {
    tell("start", app, id)
    const { instances } = placeOf(app)
    if (instances.has(id)) return done
    instances.set(id, instance(app, id, "127.0.0.1:20001", "starting"))
    setTimeout(() => {
      instances.set(id, instance(app, id, "127.0.0.1:20001", "ready"))
      changed(app)
    }, startsIn)
    return done
  },
  async stopInstance({ app }, id) {
    placeOf(app).instances.delete(id)
    changed(app)
    return done
  },
  async setRoutes({ app, epoch, generation }, routes) {
    const weights = routes.map(
      ({ route, pools }) => `${route} ${pools.map(({ pool, weight }) => `${pool}=${weight}`)}`,
    )
    tell("routes", app, weights.join("; "))
    const place = placeOf(app)
    const same = JSON.stringify(place.routes) === JSON.stringify(routes)
    Object.assign(place, { epoch, generation, routes })
    if (!same) changed(app)
    return { kind: "applied" }
  },
  async releaseInstance({ app }, id) {
    placeOf(app).released.add(id)
    changed(app)
    return { kind: "released" }
  },
  async counters(apps) {
    const routes = apps.flatMap((app) => placeOf(app).routes)
    return {
      boot: life,
      at: Date.now(),
      routes: Object.fromEntries(
        routes.map(({ route, pools }) => [
          route,
          {
            pools: Object.fromEntries(
              pools.map(({ pool, weight, instances }) => [
                pool,
                Object.fromEntries(instances.map(({ id }) => [id, counted(weight, instances.length)])),
              ]),
            ),
            mirror: undefined,
          },
        ]),
      ),
    }
  },
  // Nothing of it lies on a disk.
  keepArtifacts: async () => ({ kind: "done", removed: 0, bytes: 0, left: 0 }),
  log: async () => undefined,
}

mkdirSync(config.dir, { recursive: true })
await serveAgent(agent, config.dir, async () => process.exit(0))
process.send?.("ready")
