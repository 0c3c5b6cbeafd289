import type { AppName } from "../core/model/ids.ts"
import type { Observed } from "./agent.ts"
import type { RouterCounters } from "./counters.ts"

/** The part of what is on a server that concerns some applications. */
export function about(apps: ReadonlySet<AppName>, seen: Observed): Observed {
  const { router } = seen
  return {
    ...seen,
    instances: seen.instances.filter(({ app }) => apps.has(app)),
    jobs: seen.jobs.filter(({ app }) => apps.has(app)),
    router: router && {
      ...router,
      apps: chosen(router.apps, (app) => apps.has(app)),
      listeners: chosen(router.listeners, (route) => apps.has(appOfRoute(route))),
      inFlight: chosen(router.inFlight, (id) => isOfAny(id, apps)),
      released: router.released.filter((id) => isOfAny(id, apps)),
    },
  }
}

export const countersAbout = (apps: ReadonlySet<AppName>, counters: RouterCounters): RouterCounters => ({
  ...counters,
  routes: chosen(counters.routes, (route) => apps.has(appOfRoute(route))),
})

const appOfRoute = (route: string): AppName => route.slice(0, route.indexOf("/"))

/** An instance's id begins with its application's name; one too many does no harm. */
function isOfAny(id: string, apps: ReadonlySet<AppName>): boolean {
  for (let at = id.indexOf("-"); at > 0; at = id.indexOf("-", at + 1))
    if (apps.has(id.slice(0, at))) return true
  return false
}

const chosen = <T>(
  all: Readonly<Record<string, T>>,
  wanted: (key: string) => boolean,
): Readonly<Record<string, T>> => Object.fromEntries(Object.entries(all).filter(([key]) => wanted(key)))
