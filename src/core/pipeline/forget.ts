import { commitOf } from "../model/configuration.ts"
import type { ReleaseId, RolloutNumber } from "../model/ids.ts"
import { terminal } from "../rollout/rollout.ts"
import type { Application } from "./application.ts"
import { newestRelease } from "./newest-release.ts"
import { placesOf, poolsIn, releasesIn } from "./places.ts"

/** Rollouts of each region, however they ended, and so many of those that succeeded. */
const keptOfRegion = 10
const keptSucceeded = 5

/**
 * Old rollouts and releases leave the state, never the journal: a state that grew with everything that ever happened
 * would make every snapshot, every look and every start slower for ever. Whatever serves, runs, is kept for a way
 * back, is under way, is locked or could still be a candidate somewhere stays, however old it is.
 */
export function forgetOld(app: Application): Application {
  const all = Object.values(app.rollouts)
  if (all.length <= keptOfRegion * Math.max(1, app.regions.length)) return app
  const kept = keptRollouts(app)
  const rollouts = all.filter(({ number }) => kept.has(number))
  if (rollouts.length === all.length) return app
  const left: Application = {
    ...app,
    rollouts: Object.fromEntries(rollouts.map((rollout) => [rollout.number, rollout])),
  }
  const needed = keptReleasesOf(left)
  const releases = Object.values(app.releases).filter(({ id }) => needed.has(id))
  return { ...left, releases: Object.fromEntries(releases.map((release) => [release.id, release])) }
}

function keptRollouts(app: Application): ReadonlySet<RolloutNumber> {
  const kept = new Set<RolloutNumber | undefined>([
    ...placesOf(app).flatMap((place) => [...poolsIn(place), ...Object.keys(place.weights).map(Number)]),
    app.drill?.pool,
    ...app.locks.map(({ rollout }) => rollout),
  ])
  // What these came from tells what they changed, and where they go back to.
  for (const number of [...kept]) kept.add(number === undefined ? undefined : app.rollouts[number]?.from)
  const candidates = new Set<ReleaseId | undefined>([
    newestRelease(app)?.id,
    newestRelease(app, ({ id }) => !app.quarantine[id])?.id,
    ...app.regions.map(({ stable }) => (stable === undefined ? undefined : app.rollouts[stable]?.release)),
  ])
  const ofRegion = new Map<string, { all: number; succeeded: number }>()
  for (const { number, region, release, phase } of Object.values(app.rollouts).reverse()) {
    const count = ofRegion.get(region) ?? { all: 0, succeeded: 0 }
    ofRegion.set(region, count)
    const isNew = ++count.all <= keptOfRegion
    const isLastGood = phase.name === "succeeded" && ++count.succeeded <= keptSucceeded
    // What was tried once is not tried again by itself: that has to be known of whatever could be tried.
    if (isNew || isLastGood || !terminal(phase) || candidates.has(release)) kept.add(number)
  }
  return new Set([...kept].filter((number) => number !== undefined))
}

function keptReleasesOf(app: Application): ReadonlySet<ReleaseId | undefined> {
  const commits = new Set(app.commits.map(({ id }) => id))
  return new Set([
    ...Object.keys(app.releases).filter((id) => commits.has(commitOf(id))),
    // What a change of configuration makes its release of.
    newestRelease(app, ({ id }) => !app.quarantine[id])?.id,
    app.drill?.release,
    ...placesOf(app).flatMap(releasesIn),
    ...Object.values(app.rollouts).map(({ release }) => release),
  ])
}
