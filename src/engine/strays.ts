import type { InstanceId, ServerName } from "../core/model/ids.ts"
import type { Application } from "../core/pipeline/application.ts"
import type { Effect, RouteSpec } from "../core/pipeline/effects.ts"
import { routeName } from "../core/pipeline/input.ts"
import { placesOf } from "../core/pipeline/places.ts"
import type { World } from "./observe.ts"

/** For what nobody should be at any more, in milliseconds. */
const grace = 5_000

/**
 * What runs on a server and is not in the journal: a start whose answer came too late, carried out after the
 * instance was given up. It is let go of and ended like any other, once no table names it. `letGo`: ids that no router
 * sends anybody to any more.
 */
export function straysIn(app: Application, world: World, letGo: readonly InstanceId[]): readonly Effect[] {
  // They are the better witness then: they keep what they have until a person says what counts.
  if (app.ahead) return []
  const strays = [...world.servers.values()].flatMap(({ server, instances }) =>
    instances
      .filter(({ id, app: of }) => of === app.app && !isKnown(app, id))
      .map(({ id }) => ({ id, server })),
  )
  if (strays.length === 0) return []
  const serving = new Set(
    [...world.servers.values()].flatMap(({ router }) =>
      (router?.apps[app.app]?.routes ?? []).flatMap(servingIn),
    ),
  )
  return strays
    .filter(({ id }) => !serving.has(id))
    .map(
      ({ id: instance, server }): Effect =>
        letGo.includes(instance)
          ? { kind: "stop-instance", server, instance, grace }
          : { kind: "release-instance", server, instance, drain: grace },
    )
}

const isKnown = (app: Application, id: InstanceId): boolean =>
  placesOf(app).some(({ instances }) => instances[id] !== undefined)

/** To whom a route sends its users. */
const servingIn = ({ plain, pools }: RouteSpec): readonly InstanceId[] =>
  plain ? [] : pools.flatMap(({ weight, instances }) => (weight > 0 ? instances.map(({ id }) => id) : []))

/**
 * The routes as wanted, but for those of which a router sends users to strays that are well while this journal has too
 * few to give them to: such a one stays as it is. So a journal of an earlier time takes users over only when as many
 * instances of its own as serve them now, or as it wants, are seen to be ready. Usually the very same list.
 */
export function sparing(
  app: Application,
  routes: readonly RouteSpec[],
  world: World,
  server: ServerName,
): readonly RouteSpec[] {
  const shown = world.servers.get(server)?.router?.apps[app.app]?.routes ?? []
  if (app.removed || !shown.some((route) => servingIn(route).some((id) => !isKnown(app, id)))) return routes
  const seen = new Map(
    [...world.servers.values()].flatMap(({ instances }) => instances.map((one) => [one.id, one.state])),
  )
  // A server that does not answer may run it, and the router may reach it.
  const someSilent = Object.keys(world.problems).length > 0
  const isWell = (id: InstanceId): boolean => (seen.get(id) ?? (someSilent ? "ready" : "ended")) === "ready"
  const kept = shown.filter((now) => {
    const strays = servingIn(now).filter((id) => !isKnown(app, id) && isWell(id)).length
    const wanted = routes.find(({ route }) => route === now.route)
    const own = wanted ? servingIn(wanted).filter((id) => seen.get(id) === "ready").length : 0
    return own < Math.min(strays, sizeOf(app, now.route))
  })
  if (kept.length === 0) return routes
  const names = new Set(kept.map(({ route }) => route))
  return [...routes.filter(({ route }) => !names.has(route)), ...kept]
}

/** How many instances the journal wants behind a route; of one that it does not know, one is as good as many. */
const sizeOf = (app: Application, route: string): number =>
  app.regions.find(({ name }) => routeName(app.app, name) === route)?.policy.size ?? 1
