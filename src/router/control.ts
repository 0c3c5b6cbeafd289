import { allRoutes } from "./book.ts"
import type { Crew } from "./crew.ts"
import type { Governor } from "./governor.ts"
import { readApp, readDeadline, readEpoch, readFence, readInstanceId, readTableOrder } from "./read-table.ts"
import { Refusal } from "./refusal.ts"
import type { Verbs } from "./socket-server.ts"

/** The verbs of `control.sock`. Only the agent speaks them. */
export function controlVerbs(governor: Governor, crew: Crew): Verbs {
  const startedAt = Date.now()
  return async (verb, body) => {
    governor.heard()
    switch (verb) {
      case "PUT /table":
        await governor.setTable(readTableOrder(await body()))
        return { applied: true }
      case "POST /fence": {
        const order = await body()
        await governor.fence(readApp(order), readEpoch(order))
        return { applied: true }
      }
      case "POST /release": {
        const order = await body()
        return governor.release(readFence(order), readInstanceId(order), readDeadline(order))
      }
      case "GET /state": {
        const { book, degraded } = governor
        const apps = Object.entries(book.apps).map(([app, { epoch, generation, routes }]) => [
          app,
          { epoch, generation, routes },
        ])
        return {
          pid: process.pid,
          startedAt,
          workers: crew.pids,
          apps: Object.fromEntries(apps),
          listeners: Object.fromEntries(crew.addresses),
          instances: await crew.instances(),
          tombstones: Object.values(book.tombstones).flat(),
          ...(degraded === undefined ? {} : { degraded }),
        }
      }
      case "POST /workers":
        return { replaced: await crew.replace() }
      default:
        throw new Refusal(
          404,
          "no-verb",
          `there is no ${verb}; there are PUT /table, POST /fence, POST /release, POST /workers, GET /state`,
        )
    }
  }
}

/** The one verb of `stats.sock`: apart from control, so that losing sight is not losing control. */
export function statsVerbs(governor: Governor, crew: Crew): Verbs {
  return async (verb) => {
    governor.heard()
    if (verb === "GET /stats") return crew.stats()
    throw new Refusal(404, "no-verb", `there is no ${verb}; there is GET /stats`)
  }
}

/** How much there is to serve, for the log. */
export const sizeOf = (governor: Governor): { apps: number; routes: number } => ({
  apps: Object.keys(governor.book.apps).length,
  routes: allRoutes(governor.book).length,
})
