import { shortCommit } from "../core/model/ids.ts"
import type { Application } from "../core/pipeline/application.ts"
import { placesOf } from "../core/pipeline/places.ts"
import { isGone } from "../core/pipeline/remove.ts"
import { Remembered } from "../engine/remembered.ts"
import type { ServerView, Tone } from "./contract/views.ts"
import type { ApiParts } from "./parts.ts"
import { appStands } from "./views/app-view.ts"

/** What lists of many tell of one application. */
export type Listed = {
  /** Removed, and nothing of it runs: it stands in no list. */
  readonly gone: boolean
  readonly tone: Tone
  /** What it has where, by server. */
  readonly instances: ReadonlyMap<string, ServerView["instances"]>
}

/** What lists of many tell of all. */
export type Lists = Pick<Remembered<Listed>, "all">

export const listsOf = ({ engine, clock }: Pick<ApiParts, "engine" | "clock">): Lists =>
  new Remembered(engine, clock, (state) => ({
    gone: isGone(state),
    tone: appStands(state).tone,
    instances: instancesIn(state),
  }))

function instancesIn(state: Application): Listed["instances"] {
  const all = placesOf(state).flatMap((region) => Object.values(region.instances))
  return new Map(
    [...Map.groupBy(all, ({ server }) => server)].map(([server, here]) => [
      server,
      [...Map.groupBy(here, ({ release }) => release)].map(([release, instances]) => ({
        app: state.app,
        commit: shortCommit(release),
        count: instances.length,
        ready: instances.filter(({ state, retired }) => state === "ready" && !retired).length,
      })),
    ]),
  )
}
