import { commitOf as commitOfRelease, configuredRelease, reconfigured } from "../model/configuration.ts"
import type { RegionName, RolloutNumber } from "../model/ids.ts"
import type { Policy } from "../model/policy.ts"
import { unreachable } from "../model/unreachable.ts"
import { evolveRollout } from "../rollout/evolve-rollout.ts"
import { type Rollout, regionPolicy, terminal } from "../rollout/rollout.ts"
import type { Application, Commit, CommitState, Instance, Region } from "./application.ts"
import { metered } from "./cost.ts"
import type { Recorded } from "./events.ts"
import { carriedOn } from "./evolve-ahead.ts"
import { evolveDrill } from "./evolve-drill.ts"
import { added, cleared, removed } from "./evolve-removal.ts"
import { forgetOld } from "./forget.ts"
import { emptyPlace } from "./places.ts"
import { failuresAfter } from "./rehearsed.ts"

/** What is true after an event. Total: it never refuses and decides nothing. */
export const evolve = (app: Application, recorded: Recorded): Application =>
  metered(app, happened(app, recorded), recorded.at)

function happened(app: Application, recorded: Recorded): Application {
  const { event, at, by } = recorded
  switch (event.type) {
    case "app-added":
      return added(app, event.source)
    case "app-removed":
      return removed(app, { at, by, reason: event.reason })
    case "app-cleared":
      return cleared(app, at)
    case "app-paused":
      return { ...app, paused: { by, reason: event.reason, at } }
    case "app-resumed":
      return { ...carriedOn(app), paused: undefined }
    case "servers-ahead":
      return { ...app, ahead: { at, seen: event.seen, latest: event.latest } }
    case "override-granted":
      return { ...app, override: { by, at, reason: event.reason, region: event.region, until: event.until } }
    case "commit-found":
      return withCommit(app, {
        ...commitOf(recorded, event),
        files: event.files,
        irreversible: event.irreversible,
        ...(event.migrations ? { migrations: event.migrations } : {}),
        state: { name: "waiting", policy: knownPolicy(app, event.policy) },
      })
    case "commit-refused":
      return withCommit(app, {
        ...commitOf(recorded, event),
        files: 0,
        irreversible: false,
        ...(event.changed ? { changed: event.changed } : {}),
        state: { name: "refused", problems: event.problems },
      })
    case "commit-superseded":
      return inState(app, event.commit, (state) =>
        "policy" in state ? { name: "superseded", policy: state.policy, by: event.supersededBy } : state,
      )
    case "commit-chosen":
      return inState(app, event.commit, (state) =>
        "policy" in state ? { name: "waiting", policy: state.policy } : state,
      )
    case "build-started":
      return inState(counted(app, event.commit, event.attempt), event.commit, (state) =>
        "policy" in state
          ? { name: "building", policy: state.policy, job: event.job, attempt: event.attempt, since: at }
          : state,
      )
    case "build-failed":
      return inState(app, event.commit, (state) =>
        state.name === "building"
          ? {
              name: "failed",
              policy: state.policy,
              because: event.because,
              job: event.job,
              attempt: state.attempt,
            }
          : state,
      )
    case "build-succeeded":
      return built(app, event, at)
    case "configuration-changed":
      return configured(app, event, by)
    case "rollout-queued":
      return queued(app, event, at)
    case "locked":
      return {
        ...app,
        locks: [...app.locks, { ...event.lock, at, by }],
        nextLock: Math.max(app.nextLock, event.lock.id + 1),
      }
    case "unlocked":
      return { ...app, locks: app.locks.filter((lock) => lock.id !== event.lock) }
    case "quarantined":
      return {
        ...app,
        quarantine: {
          ...app.quarantine,
          [event.release]: { at, because: event.because, rollout: event.rollout },
        },
      }
    case "quarantine-lifted": {
      const { [event.release]: _, ...quarantine } = app.quarantine
      return { ...app, quarantine }
    }
    case "answers-accepted": {
      const release = app.releases[event.release]
      if (!release) return app
      const accepted = [...(release.accepted ?? []), ...event.paths]
      return { ...app, releases: { ...app.releases, [release.id]: { ...release, accepted } } }
    }
    case "answers-withdrawn": {
      const release = app.releases[event.release]
      if (!release) return app
      const accepted = (release.accepted ?? []).filter((path) => !event.paths.includes(path))
      return { ...app, releases: { ...app.releases, [release.id]: { ...release, accepted } } }
    }
    case "pools-released":
      return inRegion(app, event.region, (region) => ({ ...region, kept: [] }))
    case "contract-held":
    case "room-lacking":
    case "gate-approved":
    case "gate-rejected":
    case "gate-expired":
    case "rollout-superseded":
    case "provisioning-started":
    case "verifying-started":
    case "test-passed":
    case "test-failed":
    case "mirroring-started":
    case "mirroring-skipped":
    case "step-started":
    case "step-reached":
    case "looked":
    case "window-extended":
    case "held":
    case "hold-ended":
    case "bake-started":
    case "weight-returned":
      return inRollout(app, event.rollout, recorded)
    case "rollout-started":
      return started(inRollout(app, event.rollout, recorded), event.rollout)
    case "abort-started":
      return abortStarted(inRollout(app, event.rollout, recorded), event, at)
    case "rollout-succeeded":
      return succeeded(inRollout(app, event.rollout, recorded), event.rollout)
    case "rolled-back":
    case "rollout-failed":
    case "rollout-cancelled":
    case "rollback-failed":
      return inRollout(app, event.rollout, recorded)
    case "instance-requested":
      return inRegion(app, event.region, (region) => ({
        ...region,
        nextSerial: region.nextSerial + 1,
        instances: {
          ...region.instances,
          [event.instance]: {
            id: event.instance,
            pool: event.pool,
            release: app.rollouts[event.pool]?.release ?? "",
            server: event.server,
            step: event.step,
            requestedAt: at,
            state: "starting",
            address: undefined,
            condemned: undefined,
            retired: undefined,
            released: false,
          },
        },
      }))
    case "instance-ready":
      return inInstance(app, event, (instance) => ({ ...instance, state: "ready", address: event.address }))
    case "instance-unready":
      return inInstance(app, event, (instance) => ({ ...instance, state: "unready" }))
    case "instance-crashed":
      return evolveDrill(crashed(app, event, recorded), recorded)
    case "instance-modified":
      return inInstance(app, event, (instance) =>
        event.stays
          ? { ...instance, reported: true }
          : { ...instance, condemned: `modified: ${event.differences[0]?.path ?? "its files"}` },
      )
    case "instance-condemned":
      return inInstance(app, event, (instance) => ({
        ...instance,
        condemned: event.because,
        ...(event.freshFirst ? { freshFirst: true } : {}),
      }))
    case "instance-retired":
      return inInstance(app, event, (instance) => ({ ...instance, retired: { at, because: event.because } }))
    case "instance-released":
      return inInstance(app, event, (instance) => ({ ...instance, released: true }))
    case "instance-stopped":
      return inRegion(app, event.region, (region) => {
        const { [event.instance]: _, ...instances } = region.instances
        return { ...region, instances }
      })
    case "server-left": {
      const { [event.server]: _, ...others } = app.left ?? {}
      const { server, lost, drained } = event
      const left =
        lost === undefined && drained === undefined ? others : { ...others, [server]: { lost, drained } }
      return { ...app, left }
    }
    case "drill-started":
    case "drill-ready":
    case "drill-test-ended":
    case "drill-ended":
    case "drill-cleared":
      return evolveDrill(app, recorded)
    case "failure-planned":
    case "failure-passed":
    case "strength-missing":
      return inRegion(app, event.region, (region) => ({
        ...region,
        failures: failuresAfter(region.failures ?? [], event, at),
      }))
    case "weights-observed":
      return inRegion(app, event.region, (region) => ({ ...region, weights: event.weights }))
    default:
      return unreachable(event)
  }
}

const keptCommits = 50

function commitOf(
  recorded: Recorded,
  event: { commit: string; subject: string; author: string; email: string; committedAt: number },
): Omit<Commit, "files" | "irreversible" | "state"> {
  return {
    id: event.commit,
    subject: event.subject,
    author: event.author,
    email: event.email,
    at: event.committedAt,
    foundAt: recorded.at,
  }
}

/** Most commits change nothing of the policy: the same one is the same object, of which a state holds one. */
function knownPolicy(app: Application, policy: Policy): Policy {
  const before = app.commits.at(-1)?.state
  const known = before && "policy" in before ? before.policy : Object.values(app.releases).at(-1)?.policy
  return known && JSON.stringify(known) === JSON.stringify(policy) ? known : policy
}

const counted = (app: Application, commit: string, attempt: number): Application => ({
  ...app,
  buildAttempts: { ...app.buildAttempts, [commit]: attempt },
})

const withCommit = (app: Application, commit: Commit): Application => ({
  ...app,
  commits: [...app.commits.filter((known) => known.id !== commit.id), commit].filter(
    ({ state }, i, all) => i >= all.length - keptCommits || state.name === "building",
  ),
})

const inState = (app: Application, id: string, change: (state: CommitState) => CommitState): Application => ({
  ...app,
  commits: app.commits.map((commit) =>
    commit.id === id ? { ...commit, state: change(commit.state) } : commit,
  ),
})

function built(
  app: Application,
  event: { commit: string; digest: `sha256:${string}`; bytes: number; order: number },
  at: number,
): Application {
  const commit = app.commits.find((known) => known.id === event.commit)
  if (!commit || !("policy" in commit.state)) return app
  const { policy } = commit.state
  return {
    ...inState(app, event.commit, () => ({ name: "built" })),
    nextRelease: event.order + 1,
    regions: followPolicy(app.regions, policy),
    releases: {
      ...app.releases,
      [event.commit]: {
        id: event.commit,
        order: event.order,
        digest: event.digest,
        configuration: app.configuration,
        configuredBy: [],
        bytes: event.bytes,
        builtAt: at,
        irreversible: commit.irreversible,
        policy,
        subject: commit.subject,
        author: commit.author,
        email: commit.email,
      },
    },
  }
}

function configured(
  app: Application,
  { changes, release }: Extract<Recorded["event"], { type: "configuration-changed" }>,
  by: string,
): Application {
  const configuration = reconfigured(app.configuration, changes)
  const before = release && app.releases[release.of]
  if (!before) return { ...app, configuration }
  const { order } = release
  const id = configuredRelease(commitOfRelease(before.id), configuration.version)
  return {
    ...app,
    configuration,
    nextRelease: order + 1,
    releases: {
      ...app.releases,
      [id]: { ...before, id, order, configuration, configuredBy: [...before.configuredBy, by] },
    },
  }
}

/** Regions are added and reordered as the newest release says; one that still runs something stays. */
function followPolicy(regions: readonly Region[], policy: Policy): readonly Region[] {
  const listed = policy.regions.map((wanted): Region => {
    const known = regions.find((region) => region.name === wanted.name)
    return known ? { ...known, policy: wanted } : emptyPlace(wanted.name, wanted)
  })
  const dropped = regions.filter(
    (region) =>
      !policy.regions.some((wanted) => wanted.name === region.name) &&
      (region.stable !== undefined ||
        region.active !== undefined ||
        Object.keys(region.instances).length > 0),
  )
  return [...listed, ...dropped]
}

function queued(
  app: Application,
  event: Extract<Recorded["event"], { type: "rollout-queued" }>,
  at: number,
): Application {
  const release = app.releases[event.release]
  if (!release) return app
  const region = app.regions.find((known) => known.name === event.region)
  const rollout: Rollout = {
    number: event.rollout,
    region: event.region,
    release: event.release,
    attempt: event.attempt,
    strategy: event.strategy,
    schedule: event.schedule,
    from: region?.stable,
    policy: release.policy,
    queuedAt: at,
    startedAt: undefined,
    endedAt: undefined,
    phase: { name: "queued", since: at, gate: event.gate },
    hadTraffic: false,
    ...(event.migrations ? { migrations: event.migrations } : {}),
    approval: undefined,
    crashes: 0,
    looks: 0,
    lastLook: undefined,
  }
  const next = {
    ...app,
    nextRollout: event.rollout + 1,
    rollouts: { ...app.rollouts, [event.rollout]: rollout },
  }
  return forgetOld(inRegion(next, event.region, (known) => ({ ...known, active: event.rollout })))
}

function inRollout(app: Application, number: RolloutNumber, recorded: Recorded): Application {
  const rollout = app.rollouts[number]
  if (!rollout) return app
  const next = evolveRollout(rollout, recorded)
  const changed = { ...app, rollouts: { ...app.rollouts, [number]: next } }
  if (!terminal(next.phase) || terminal(rollout.phase)) return changed
  return inRegion(changed, rollout.region, (region) =>
    region.active === number ? { ...region, active: undefined } : region,
  )
}

/** What cannot be undone may begin: from here nobody goes back to what was before the release that serves now. */
function started(app: Application, number: RolloutNumber): Application {
  const rollout = app.rollouts[number]
  if (!rollout || !app.releases[rollout.release]?.irreversible) return app
  return inRegion(app, rollout.region, (region) => ({ ...region, kept: [] }))
}

/** The old pool serves again from this moment; a success that is taken back loses its place. */
function abortStarted(
  app: Application,
  event: Extract<Recorded["event"], { type: "abort-started" }>,
  at: number,
): Application {
  const rollout = app.rollouts[event.rollout]
  if (!rollout) return app
  const counted = event.automatic
    ? { ...app, automaticRollbacks: [...app.automaticRollbacks, at].slice(-50) }
    : app
  return inRegion(counted, rollout.region, (region) =>
    region.stable === event.rollout
      ? {
          ...region,
          stable: event.to,
          kept: region.kept.filter((pool) => pool !== event.to),
          active: event.rollout,
        }
      : region,
  )
}

function succeeded(app: Application, number: RolloutNumber): Application {
  const rollout = app.rollouts[number]
  if (!rollout) return app
  return inRegion(app, rollout.region, (region) => ({
    ...region,
    stable: number,
    active: undefined,
    policy: regionPolicy(rollout),
    kept: [region.stable, ...region.kept]
      .filter((pool): pool is RolloutNumber => pool !== undefined && pool !== number)
      .slice(0, rollout.policy.run.keep),
  }))
}

function crashed(
  app: Application,
  event: Extract<Recorded["event"], { type: "instance-crashed" }>,
  recorded: Recorded,
): Application {
  const ended = inInstance(app, event, (instance) => ({
    ...instance,
    state: "ended",
    retired: instance.retired ?? { at: recorded.at, because: `crashed: ${event.exit.because}` },
  }))
  const pool = app.regions.find((region) => region.name === event.region)?.instances[event.instance]?.pool
  return pool === undefined ? ended : inRollout(ended, pool, recorded)
}

const inRegion = (app: Application, name: RegionName, change: (region: Region) => Region): Application => ({
  ...app,
  regions: app.regions.map((region) => (region.name === name ? change(region) : region)),
  ...(app.drill?.place.name === name ? { drill: { ...app.drill, place: change(app.drill.place) } } : {}),
})

function inInstance(
  app: Application,
  event: { readonly region: RegionName; readonly instance: string },
  change: (instance: Instance) => Instance,
): Application {
  return inRegion(app, event.region, (region) => {
    const instance = region.instances[event.instance]
    if (!instance) return region
    return { ...region, instances: { ...region.instances, [event.instance]: change(instance) } }
  })
}
