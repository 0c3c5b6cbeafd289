import { noConfiguration } from "../model/configuration.ts"
import type { Instant } from "../model/time.ts"
import type { Application, Removed, Source } from "./application.ts"
import { lastDrillNumber } from "./evolve-drill.ts"
import { nothing } from "./nothing.ts"

/** Also again, under the numbers that an application of this name had before. */
export function added({ removed: _, ...app }: Application, source: Source): Application {
  return { ...app, source }
}

/** Whatever would start or keep anything is gone at once; what its instances still need to be ended by stays. */
export function removed(app: Application, by: Removed): Application {
  const { override: _, ...others } = app
  const { source, commits, paused, locks, quarantine } = nothing(app.app)
  return {
    ...others,
    ...{ source, commits, paused, locks, quarantine },
    regions: app.regions.map((region) => ({ ...region, stable: undefined, kept: [], active: undefined })),
    removed: by,
  }
}

/** Nothing of it runs any more, and only what happened to it can be read. */
export const cleared = (app: Application, at: Instant): Application => ({
  ...remainsOf(app),
  removed: app.removed && { ...app.removed, clearedAt: at },
})

/** What must never be used twice, also by another application of the same name: numbers, and all that is named by them. */
const remainsOf = (app: Application): Application => ({
  ...nothing(app.app),
  buildAttempts: app.buildAttempts,
  configuration: { ...noConfiguration, version: app.configuration.version },
  nextRollout: app.nextRollout,
  nextRelease: app.nextRelease,
  nextLock: app.nextLock,
  drillsBefore: lastDrillNumber(app),
  automaticRollbacks: app.automaticRollbacks,
})
