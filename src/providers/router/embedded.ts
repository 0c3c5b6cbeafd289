import { join } from "node:path"
import type { MirrorSpec, RouteSpec } from "../../core/pipeline/effects.ts"
import type { Counters, RouterCounters } from "../../ports/counters.ts"
import type { Applied, HeldRouter, Released } from "../../ports/router.ts"
import { type Answer, call } from "./socket-call.ts"
import type { CountersWire, RouteWire, SideWire, StateWire, StatsWire } from "./wire.ts"

/** Our own router, through the sockets in its folder: one to command it, another one to watch it. */
export function embeddedRouter(options: { readonly dir: string }): HeldRouter {
  const control = join(options.dir, "control.sock")
  const stats = join(options.dir, "stats.sock")
  return {
    can: {
      evenShares: true,
      keepsCounters: true,
      mirrors: "beside",
      selections: ["hash", "sha256"],
      holdsRequests: true,
    },
    async fence(app, epoch, signal) {
      return applied(await call(control, "POST", "/fence", { app, epoch }, signal))
    },
    async setRoutes(fence, routes, signal) {
      return applied(await call(control, "PUT", "/table", { ...fence, routes: routes.map(toWire) }, signal))
    },
    async release(fence, instance, drain, signal): Promise<Released> {
      const order = { ...fence, instance, deadlineMs: drain }
      const answer = expectOk<{ released: boolean; weight: number; inFlight: number }>(
        await call(control, "POST", "/release", order, signal),
      )
      return answer.released
        ? { kind: "released" }
        : { kind: "busy", weight: answer.weight, inFlight: answer.inFlight }
    },
    async state(signal) {
      const state = expectOk<StateWire>(await call(control, "GET", "/state", undefined, signal))
      return {
        pid: state.pid,
        apps: mapValues(state.apps, ({ epoch, generation, routes }) => ({
          epoch,
          generation,
          routes: routes.map(fromWire),
        })),
        listeners: state.listeners,
        inFlight: mapValues(state.instances, ({ inFlight }) => inFlight),
        refusing: Object.entries(state.instances).flatMap(([id, { ejected, failing }]) =>
          ejected || failing ? [id] : [],
        ),
        released: state.tombstones,
        degraded: state.degraded,
      }
    },
    async counters(signal) {
      return countersOf(expectOk<StatsWire>(await call(stats, "GET", "/stats", undefined, signal)))
    },
    close: async () => undefined,
  }
}

function applied(answer: Answer): Applied {
  if (answer.ok) return { kind: "applied" }
  const { code, message } = answer.problem
  switch (code) {
    case "stale":
    case "address-in-use":
      return { kind: "refused", code, because: message }
    case "invalid":
    case "released":
      return { kind: "refused", code: "invalid", because: message }
    default:
      throw new Error(`the router did not acknowledge: ${message}`)
  }
}

function expectOk<T>(answer: Answer): T {
  if (answer.ok) return answer.body as T
  throw new Error(`the router refused: ${answer.problem.message}`)
}

function toWire(route: RouteSpec): RouteWire {
  const { mirror, health, selection, first, holdRequests } = route
  return {
    route: route.route,
    listen: route.listen,
    ...(route.plain ? { plain: true } : {}),
    salt: route.salt,
    sticky: route.sticky,
    ...(selection ? { selection } : {}),
    ...(first?.pool === undefined ? {} : { always: [{ pool: first.pool, keys: first.keys }] }),
    ...(holdRequests === undefined ? {} : { pauseMs: holdRequests }),
    pools: route.pools,
    stable: route.stable ?? null,
    ...(mirror ? { mirror: mirrorToWire(mirror) } : {}),
    ...(health
      ? {
          health: {
            path: health.path,
            intervalMs: health.every,
            timeoutMs: health.timeout,
            rise: health.healthy,
            fall: health.unhealthy,
          },
        }
      : {}),
  }
}

function fromWire(wire: RouteWire): RouteSpec {
  const { route, listen, plain, salt, sticky, selection, always, pauseMs, pools, stable, mirror, health } =
    wire
  return {
    route,
    listen,
    ...(plain ? { plain } : {}),
    salt,
    sticky,
    ...(selection ? { selection } : {}),
    ...(always?.[0] ? { first: always[0] } : {}),
    ...(pauseMs === undefined ? {} : { holdRequests: pauseMs }),
    pools,
    stable: stable ?? undefined,
    mirror: mirror && mirrorFromWire(mirror),
    health: health && {
      path: health.path,
      every: health.intervalMs,
      timeout: health.timeoutMs,
      healthy: health.rise,
      unhealthy: health.fall,
    },
  }
}

const mirrorToWire = ({ timeout, ...rest }: MirrorSpec): NonNullable<RouteWire["mirror"]> => ({
  ...rest,
  timeoutMs: timeout,
})

const mirrorFromWire = ({ timeoutMs, ...rest }: NonNullable<RouteWire["mirror"]>): MirrorSpec => ({
  ...rest,
  timeout: timeoutMs,
})

function countersOf({ boot, at, routes }: StatsWire): RouterCounters {
  return {
    boot,
    at,
    routes: mapValues(routes, ({ pools, mirror }) => ({
      pools: mapValues(pools, (instances) => mapValues(instances, ofInstance)),
      mirror: mirror && {
        to: mirror.to,
        sent: mirror.sent,
        dropped: mirror.dropped,
        recent: mirror.recent,
        primary: ofSide(mirror.primary),
        candidate: ofSide(mirror.candidate),
      },
    })),
  }
}

const ofInstance = ({ requests, errors, histogram }: CountersWire): Counters => ({
  requests,
  bad: errors.connect + errors.timeout + errors.reset + errors["5xx"],
  latency: histogram,
})

const ofSide = ({ requests, bad, histogram }: SideWire): Counters => ({
  requests,
  bad,
  latency: histogram,
})

const mapValues = <A, B>(record: Readonly<Record<string, A>>, change: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
