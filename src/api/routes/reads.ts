import type { FastifyInstance } from "fastify"
import { shortCommit } from "../../core/model/ids.ts"
import type { Application } from "../../core/pipeline/application.ts"
import { routeName } from "../../core/pipeline/input.ts"
import { placesOf } from "../../core/pipeline/places.ts"
import { isGone, refusedAsRemoved } from "../../core/pipeline/remove.ts"
import type {
  AppSummary,
  AppView,
  ConfigurationView,
  InstanceView,
  RolloutView,
  RouteView,
  TimelineEntry,
} from "../contract/views.ts"
import type { Lists } from "../lists.ts"
import { ApiError, type ApiParts } from "../parts.ts"
import { stateThatKnew } from "../past-state.ts"
import { appSummary, appView } from "../views/app-view.ts"
import { configurationView } from "../views/configuration-view.ts"
import { entryOf, rolloutView } from "../views/rollout-view.ts"

type InApp = { Params: { app: string } }
type InRollout = { Params: { app: string; n: string } }

export function readRoutes(api: FastifyInstance, parts: ApiParts, lists: Lists): void {
  api.get("/healthz", async (_request, reply) => {
    const health = await parts.health()
    return reply.code(health.ok ? 200 : 503).send(health)
  })
  api.get("/metrics", async (_request, reply) =>
    reply.type("text/plain; version=0.0.4").send(await parts.metrics()),
  )
  api.get<{ Querystring: ListQuery }>("/v1/apps", async (request, reply): Promise<readonly AppSummary[]> => {
    const { apps, next } = await listApps(parts, lists, request.query)
    if (next !== undefined)
      reply.header("link", `</v1/apps?${new URLSearchParams({ ...request.query, after: next })}>; rel="next"`)
    return apps
  })
  api.get<InApp>("/v1/apps/:app", async (request, reply) => {
    presentState(parts, request.params.app)
    const view = readApp(parts, request.params.app)
    reply.header("etag", `"${view.version}"`)
    return view
  })
  api.get<InApp>(
    "/v1/apps/:app/servers",
    async (request): Promise<readonly InstanceView[]> => readServers(parts, request.params.app),
  )
  api.get<InApp>(
    "/v1/apps/:app/routes",
    async (request): Promise<readonly RouteView[]> => readRouting(parts, request.params.app),
  )
  api.get<InApp>(
    "/v1/apps/:app/configuration",
    async (request): Promise<ConfigurationView> => configurationView(stateOf(parts, request.params.app)),
  )
  api.get<InApp & { Querystring: { limit?: string } }>("/v1/apps/:app/timeline", async (request) =>
    readTimeline(parts, request.params.app, sizeOf(request.query.limit, 100)),
  )
  api.get<InRollout>("/v1/apps/:app/rollouts/:n", async (request) =>
    readRollout(parts, request.params.app, request.params.n),
  )
  api.get<{ Params: { hash: string } }>("/v1/evidence/:hash", async (request) =>
    readEvidence(parts, request.params.hash),
  )
  api.get<{ Querystring: { job?: string; instance?: string; from?: string } }>("/v1/logs", async (request) =>
    readLogs(parts, request.query),
  )
}

/** `after`: where the page before ended; `q`: part of a name. Everything is text, as it stands in an address. */
export type ListQuery = { readonly after?: string; readonly limit?: string; readonly q?: string }

export type AppList = {
  readonly apps: readonly AppSummary[]
  /** Where the next page begins; absent on the last one. */
  readonly next: string | undefined
  /** Of those that were looked for, on all pages. */
  readonly total: number
  readonly asking: number
}

const toneOrder = { bad: 0, wait: 1, busy: 2, none: 3, ok: 4 } as const
const mostOnPage = 1_000

/** What needs a person first, then what moves, then the rest by name; a page of it, or all when no limit is given. */
export async function listApps(
  { engine }: Pick<ApiParts, "engine">,
  lists: Lists,
  { after, limit, q = "" }: ListQuery = {},
): Promise<AppList> {
  const found = (await lists.all())
    .filter(({ app, value }) => app.includes(q) && !value.gone)
    .map(({ app, value: { tone } }) => ({ place: `${toneOrder[tone]}${app}`, tone, app }))
  found.sort((a, b) => (a.place < b.place ? -1 : 1))
  const first = after === undefined ? 0 : found.findIndex(({ place }) => place > after)
  const size = sizeOf(limit, found.length)
  const page = first < 0 ? [] : found.slice(first, first + size)
  return {
    apps: page.flatMap(({ app }) => {
      const state = engine.state(app)
      return state ? [appSummary(state, engine.problems(app))] : []
    }),
    next: first >= 0 && first + size < found.length ? page.at(-1)?.place : undefined,
    total: found.length,
    asking: found.filter(({ tone }) => tone === "bad" || tone === "wait").length,
  }
}

/** How many of them are shown. Throws ApiError where somebody asks for what is no number of them. */
function sizeOf(limit: string | undefined, usual: number): number {
  if (limit === undefined) return usual
  if (!/^[1-9]\d{0,8}$/.test(limit))
    throw new ApiError(
      "bad-request",
      `limit must be a whole number from 1 to ${mostOnPage}, not ${JSON.stringify(limit.slice(0, 40))}`,
    )
  return Math.min(Number(limit), mostOnPage)
}

export function stateOf(parts: ApiParts, app: string): Application {
  const state = parts.engine.state(app)
  if (!state)
    throw new ApiError("unknown-app", `there is no application ${app}; add it with: immunity app add URL`)
  return state
}

/** Of one that was removed only its history can be read, at an address of its own. */
export function presentState(parts: ApiParts, app: string): Application {
  const state = stateOf(parts, app)
  const refused = isGone(state) ? refusedAsRemoved(state) : undefined
  if (refused)
    throw new ApiError(
      refused.code,
      `${refused.message}. What happened to it can be read: /a/${app}/timeline, /v1/apps/${app}/timeline`,
    )
  return state
}

export function readApp(parts: ApiParts, app: string): AppView {
  return appView(stateOf(parts, app), parts.engine.version(app), parts.engine.problems(app))
}

export async function readRollout(parts: ApiParts, app: string, n: string): Promise<RolloutView> {
  const state = stateOf(parts, app)
  const number = Number(n)
  const isPast = state.rollouts[number] === undefined
  const unknown = () => new ApiError("unknown-rollout", `${app} has no rollout ${n}`)
  if (isPast && !(number >= 1 && number < state.nextRollout)) throw unknown()
  const events = await parts.journal.read(app, 0)
  // Old ones are in the journal alone; there is nothing that could be done about them.
  const then = isPast ? stateThatKnew(app, events, number) : state
  const rollout = then?.rollouts[number]
  if (!rollout) throw unknown()
  const [intervals, before] = await Promise.all([
    parts.evidence.intervals(app, rollout.number),
    rollout.from === undefined ? [] : parts.evidence.intervals(app, rollout.from),
  ])
  const view = rolloutView(then, rollout, events, intervals, before, parts.clock.now())
  return isPast ? { ...view, actions: [], consequences: {} } : view
}

export async function readTimeline(
  parts: ApiParts,
  app: string,
  limit: number,
): Promise<readonly TimelineEntry[]> {
  stateOf(parts, app)
  const events = await parts.journal.read(app, 0)
  return events.slice(-limit).map(entryOf).reverse()
}

export async function readEvidence(parts: ApiParts, hash: string): Promise<unknown> {
  const found = /^[0-9a-f]{64}$/.test(hash) ? await parts.evidence.get(hash) : undefined
  if (found === undefined) throw new ApiError("unknown-evidence", "there is no evidence of that hash here")
  return found
}

export function readServers(parts: ApiParts, app: string): readonly InstanceView[] {
  const state = stateOf(parts, app)
  const seen = new Map(
    [...(parts.engine.world(app)?.servers.values() ?? [])].flatMap((server) =>
      server.instances.map((instance) => [instance.id, instance] as const),
    ),
  )
  const refusing = new Set(
    [...(parts.engine.world(app)?.servers.values() ?? [])].flatMap(({ router }) => router?.refusing ?? []),
  )
  return placesOf(state).flatMap((region) =>
    Object.values(region.instances).map(
      (instance): InstanceView => ({
        id: instance.id,
        region: region.name,
        server: instance.server,
        commit: shortCommit(instance.release),
        rollout: instance.pool,
        state: instance.state,
        address: instance.address,
        weight: region.weights[instance.pool] ?? 0,
        since: instance.requestedAt,
        memory: seen.get(instance.id)?.memory,
        refusing: refusing.has(instance.id) || undefined,
        kept: (region.kept.includes(instance.pool) && !instance.retired) || undefined,
        modified: (seen.get(instance.id)?.differences ?? []).map(({ path, what }) => `${path} ${what}`),
        leaving: instance.retired?.because ?? instance.condemned,
      }),
    ),
  )
}

/** The regions' routes; previews are an inner matter. */
function readRouting(parts: ApiParts, app: string): readonly RouteView[] {
  const { regions } = stateOf(parts, app)
  const servers = [...(parts.engine.world(app)?.servers.values() ?? [])]
  return servers.flatMap(({ router }) =>
    (router?.apps[app]?.routes ?? []).flatMap((route): readonly RouteView[] => {
      const region = regions.find(({ name }) => routeName(app, name) === route.route)
      if (!region) return []
      const { router: carriedBy = "embedded", mirror: _, first, ...rest } = route
      const listen = router?.listeners[route.route] ?? route.listen
      const pools = route.pools.map((pool) => ({ ...pool, instances: [...pool.instances] }))
      const listed = first && { keys: [...first.keys], pool: first.pool }
      return [{ ...rest, first: listed, pools, region: region.name, router: carriedBy, listen }]
    }),
  )
}

async function readLogs(
  parts: ApiParts,
  query: { job?: string; instance?: string; from?: string },
): Promise<unknown> {
  const of = query.job ? { job: query.job } : query.instance ? { instance: query.instance } : undefined
  if (!of) throw new ApiError("bad-request", "say which log: ?job=… or ?instance=…")
  for (const agent of parts.agents.values()) {
    const chunk = await agent
      .log(of, Number(query.from ?? 0), 65_536, AbortSignal.timeout(5_000))
      .catch(() => undefined)
    if (chunk) return chunk
  }
  throw new ApiError("unknown-log", "no server has a log of that name")
}
