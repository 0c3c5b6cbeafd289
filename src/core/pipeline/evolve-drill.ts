import { regionPolicy } from "../rollout/rollout.ts"
import type { Application, Drill } from "./application.ts"
import type { Recorded } from "./events.ts"
import { drillPlace, emptyPlace } from "./places.ts"

const remembered = 20

/** What is true of drills after an event about one. Total: an event that does not fit changes nothing. */
export function evolveDrill(app: Application, { event, at, by }: Recorded): Application {
  switch (event.type) {
    case "drill-started": {
      const rollout = app.rollouts[event.pool]
      if (!rollout) return app
      const { drill: number, region, release, pool } = event
      const place = emptyPlace(drillPlace(region), regionPolicy(rollout))
      return { ...app, drill: { number, region, release, pool, at, by, place, crashes: 0, tests: [] } }
    }
    case "drill-ready":
      return inDrill(app, (drill) => ({ ...drill, readyAt: at, tests: event.tests }))
    case "drill-test-ended":
      return inDrill(app, (drill) => ({
        ...drill,
        tests: drill.tests.map((test) => (test.job === event.job ? { ...test, passed: event.passed } : test)),
      }))
    case "drill-ended":
      return {
        ...inDrill(app, (drill) => ({ ...drill, result: event.result })),
        drills: [event.result, ...(app.drills ?? [])].slice(0, remembered),
      }
    case "drill-cleared":
      return { ...app, drill: undefined }
    case "instance-crashed":
      return app.drill?.place.name === event.region && !event.lost
        ? inDrill(app, (drill) => ({ ...drill, crashes: drill.crashes + 1 }))
        : app
    default:
      return app
  }
}

/** Of all that there were; instances are named by it, and no name is used twice. */
export const lastDrillNumber = ({ drill, drills = [], drillsBefore = 0 }: Application): number =>
  Math.max(drillsBefore, drill?.number ?? 0, ...drills.map(({ number }) => number))

const inDrill = (app: Application, change: (drill: Drill) => Drill): Application =>
  app.drill ? { ...app, drill: change(app.drill) } : app
