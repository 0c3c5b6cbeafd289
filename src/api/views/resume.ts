import { shortCommit } from "../../core/model/ids.ts"
import { whyBehind } from "../../core/pipeline/ahead.ts"
import type { Application } from "../../core/pipeline/application.ts"

/** Why a person may resume it: what they, or the system, stopped. */
export function pausedBecause({ ahead, paused }: Application): string | undefined {
  if (ahead) return `held because ${whyBehind(ahead)}`
  return paused && `paused by ${paused.by}: ${paused.reason}`
}

/** What resuming it will do; shown before anybody orders it. Undefined where nothing is to be resumed. */
export function resumeView(app: Application): string[] | undefined {
  const because = pausedBecause(app)
  if (because === undefined) return undefined
  return [`it is ${because}`, ...(app.ahead ? lettingItCount(app) : ["what waited goes on"])]
}

function lettingItCount(app: Application): string[] {
  if (app.removed)
    return ["its addresses close and what runs is ended: this journal says that it was removed"]
  const back = app.regions.flatMap(({ name, stable }) => {
    const release = stable === undefined ? undefined : app.rollouts[stable]?.release
    return release === undefined
      ? []
      : [`${name} gets ${shortCommit(release)}, which this journal says serves there`]
  })
  return [
    ...back,
    "users stay where they are until as many instances of it are ready as serve them now; then what came later is ended",
    "the newest commit climbs again from the first region, with its tests and gates",
  ]
}
