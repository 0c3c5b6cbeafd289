import type { Application } from "../core/pipeline/application.ts"
import type { Effect } from "../core/pipeline/effects.ts"
import { placesOf } from "../core/pipeline/places.ts"
import type { World } from "./observe.ts"

/** For what nobody should be at any more, in milliseconds. */
const grace = 5_000

/**
 * What runs on a server and is not in the journal: a start whose answer came too late, carried out after the
 * instance was given up. No table names it; it is let go of and ended like any other.
 */
export function straysIn(app: Application, world: World): readonly Effect[] {
  const known = new Set(placesOf(app).flatMap((place) => Object.keys(place.instances)))
  const routers = [...world.servers.values()].flatMap(({ router }) => (router ? [router] : []))
  const isLetGo = (instance: string) =>
    routers.length > 0 && routers.every(({ released }) => released.includes(instance))
  return [...world.servers.values()].flatMap(({ server, instances }) =>
    instances
      .filter(({ id, app: owner }) => owner === app.app && !known.has(id))
      .map(
        ({ id: instance }): Effect =>
          isLetGo(instance)
            ? { kind: "stop-instance", server, instance, grace }
            : { kind: "release-instance", server, instance, drain: grace },
      ),
  )
}
