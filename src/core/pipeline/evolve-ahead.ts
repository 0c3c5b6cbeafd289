import type { Application, Region } from "./application.ts"
import { lastDrillNumber } from "./evolve-drill.ts"

/** Numbers go on this far beyond what was seen: others may have been given out that nobody shows any more. */
const apart = 1_000

/** A journal that its servers are ahead of counts from here on, under numbers that were not used in what it lost. */
export function carriedOn({ ahead, ...app }: Application): Application {
  if (!ahead) return app
  return {
    ...app,
    nextRollout: beyond(Math.max(app.nextRollout - 1, ahead.latest)),
    drillsBefore: beyond(lastDrillNumber(app)),
    drill: app.drill && { ...app.drill, place: numberedAnew(app.drill.place) },
    regions: app.regions.map(numberedAnew),
  }
}

const numberedAnew = (place: Region): Region => ({ ...place, nextSerial: beyond(place.nextSerial) })

/** The first number after the next multiple of a thousand. */
const beyond = (last: number): number => (Math.floor(last / apart) + 1) * apart + 1
