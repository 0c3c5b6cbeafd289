import { allRoutes } from "./book.ts"
import type { DataPlane } from "./data-plane.ts"
import type { Governor } from "./governor.ts"
import type { Listeners } from "./listeners.ts"
import { readApp, readDeadline, readEpoch, readFence, readInstanceId, readTableOrder } from "./read-table.ts"
import { Refusal } from "./refusal.ts"
import type { Verbs } from "./socket-server.ts"

/** The verbs of `control.sock`. Only the agent speaks them. */
export function controlVerbs(governor: Governor, plane: DataPlane, listeners: Listeners): Verbs {
  const startedAt = Date.now()
  return async (verb, body) => {
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
          apps: Object.fromEntries(apps),
          listeners: Object.fromEntries(listeners.addresses),
          instances: plane.instances(),
          tombstones: Object.values(book.tombstones).flat(),
          ...(degraded === undefined ? {} : { degraded }),
        }
      }
      default:
        throw new Refusal(
          404,
          "no-verb",
          `there is no ${verb}; there are PUT /table, POST /fence, POST /release, GET /state`,
        )
    }
  }
}

/** The one verb of `stats.sock`: apart from control, so that losing sight is not losing control. */
export function statsVerbs(plane: DataPlane): Verbs {
  return async (verb) => {
    if (verb === "GET /stats") return plane.stats()
    throw new Refusal(404, "no-verb", `there is no ${verb}; there is GET /stats`)
  }
}

/** How much there is to serve, for the log. */
export const sizeOf = (governor: Governor): { apps: number; routes: number } => ({
  apps: Object.keys(governor.book.apps).length,
  routes: allRoutes(governor.book).length,
})
