import type { Digest } from "../model/ids.ts"
import { terminal } from "../rollout/rollout.ts"
import type { Application, Release } from "./application.ts"
import { newestRelease } from "./newest-release.ts"
import { placesOf, poolsIn, releasesIn } from "./places.ts"

/** Of each region: so many that succeeded, and so many however they ended, which a person may try again. */
const lastOnes = 5

/**
 * The artifacts that servers must not lose, sorted: of whatever serves, is kept for a way back, runs or is under way
 * in any place, of the newest release, and of the last rollouts of each region, all of which the
 * state still knows (forget.ts).
 */
export function pinnedArtifacts(app: Application): readonly Digest[] {
  const rollouts = Object.values(app.rollouts).sort((a, b) => b.number - a.number)
  const needed = [
    ...placesOf(app)
      .flatMap(poolsIn)
      .flatMap((pool) => app.rollouts[pool] ?? []),
    ...rollouts.filter(({ phase }) => !terminal(phase)),
    ...app.regions.flatMap(({ name }) => {
      const here = rollouts.filter(({ region }) => region === name)
      const succeeded = here.filter(({ phase }) => phase.name === "succeeded")
      return [...succeeded.slice(0, lastOnes), ...here.slice(0, lastOnes)]
    }),
  ]
  const releases = [
    newestRelease(app)?.id,
    // What a change of configuration would make its release of.
    newestRelease(app, ({ id }) => !app.quarantine[id])?.id,
    app.drill?.release,
    ...placesOf(app).flatMap(releasesIn),
    ...needed.map(({ release }) => release),
  ]
  const digests = releases.flatMap((id) => (id === undefined ? [] : (app.releases[id]?.digest ?? [])))
  return [...new Set(digests)].sort()
}

/** Why a release cannot be started anew; undefined when it can. What may have been removed is not counted on. */
export function artifactGone(app: Application, release: Release): string | undefined {
  if (pinnedArtifacts(app).includes(release.digest)) return undefined
  return (
    `the artifact of ${release.id.slice(0, 7)} is not kept any more: that of the last ${lastOnes} rollouts of each ` +
    "region is, and of whatever serves or can be swapped back to. Push a commit that reverts to it, to be built anew"
  )
}
