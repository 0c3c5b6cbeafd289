import { autonomyFor } from "../decision/autonomy.ts"
import type { JobId } from "../model/ids.ts"
import { type Rollout, terminal } from "../rollout/rollout.ts"
import { scheduleFor } from "../rollout/schedule.ts"
import type { Application, Region, Release } from "./application.ts"
import type { Draft } from "./draft.ts"
import { migrationsBetween } from "./migrations.ts"
import { newestRelease } from "./newest-release.ts"
import { tooCostly } from "./surge.ts"

/** The newest waiting commit wins; the others step aside. One build at a time, one build a commit. */
export function chooseCommit(draft: Draft): void {
  const waiting = draft.state.commits.filter((commit) => commit.state.name === "waiting")
  const newest = waiting.at(-1)
  if (!newest || draft.state.paused || draft.limits.nothingNew || draft.limits.killed) return
  for (const commit of waiting.slice(0, -1)) {
    draft.conclude(
      { type: "commit-superseded", commit: commit.id, supersededBy: newest.id },
      "a newer commit was waiting",
    )
  }
  if (draft.state.commits.some((commit) => commit.state.name === "building")) return
  const attempt = (draft.state.buildAttempts[newest.id] ?? 0) + 1
  draft.conclude(
    { type: "build-started", commit: newest.id, job: buildJob(draft.state.app, newest.id, attempt), attempt },
    "the newest waiting commit",
  )
}

const buildJob = (app: string, commit: string, attempt: number): JobId =>
  `${app}-build-${commit.slice(0, 12)}-${attempt}`

/** Releases climb: what succeeded below is a candidate here, and the newest candidate wins. */
export function queueRollouts(draft: Draft): void {
  for (let i = 0; i < draft.state.regions.length; i++) {
    const region = draft.state.regions[i]
    if (!region) continue
    const release = candidate(draft.state, i)
    if (!release) continue
    const active = region.active === undefined ? undefined : draft.rollout(region.active)
    if (active) {
      if (active.phase.name !== "queued" || active.release === release.id) continue
      if ((draft.state.releases[active.release]?.order ?? 0) >= release.order) continue
      draft.conclude(
        { type: "rollout-superseded", rollout: active.number, supersededBy: release.id },
        "a newer release came to this region",
      )
    }
    queue(draft, region, release, i)
  }
}

/** Puts a release in front of a region: a numbered attempt, with its gate if the region has one. */
export function queue(draft: Draft, region: Region, release: Release, index: number): void {
  const policy = release.policy.regions.find((wanted) => wanted.name === region.name)
  if (!policy) return
  const below = index > 0 ? draft.state.regions[index - 1]?.stable : undefined
  const evidence = (below === undefined ? undefined : draft.rollout(below)?.lastLook?.evidence) ?? "tests"
  const costly = tooCostly(draft.state, release.id, draft.at)
  const asks =
    policy.gate !== undefined ||
    costly !== undefined ||
    autonomyFor(release.policy, region.name, "advance") !== "auto"
  const attempts = Object.values(draft.state.rollouts).filter(
    (known) => known.release === release.id && known.region === region.name,
  )
  const running = region.stable === undefined ? undefined : draft.rollout(region.stable)?.release
  const migrations = migrationsBetween(draft.state, running, release.id)
  draft.conclude(
    {
      type: "rollout-queued",
      rollout: draft.state.nextRollout,
      region: region.name,
      release: release.id,
      // Counted on the last one: older ones may be forgotten.
      attempt: Math.max(0, ...attempts.map(({ attempt }) => attempt)) + 1,
      strategy: policy.strategy,
      schedule: scheduleFor(policy, region.stable !== undefined),
      gate: asks
        ? {
            openedAt: draft.at,
            expiresAt: draft.at + (policy.gate?.expires ?? 24 * 3_600_000),
            evidence,
            notAuthor: policy.gate?.notAuthor ?? false,
            ...(costly === undefined ? {} : { because: costly }),
          }
        : undefined,
      ...(migrations ? { migrations } : {}),
    },
    costly ?? (index === 0 ? "built and new" : `succeeded in ${draft.state.regions[index - 1]?.name}`),
  )
}

function candidate(app: Application, index: number): Release | undefined {
  const region = app.regions[index]
  if (!region) return undefined
  const release = index === 0 ? newestRelease(app) : stableRelease(app, app.regions[index - 1])
  if (!release || app.quarantine[release.id]) return undefined
  if (!release.policy.regions.some((wanted) => wanted.name === region.name)) return undefined
  const serving = stableRelease(app, region)
  if (serving && serving.order >= release.order) return undefined
  return tried(app, region, release) ? undefined : release
}

/** A release is tried once by itself; after that a person retries it. */
const tried = (app: Application, region: Region, release: Release): boolean =>
  Object.values(app.rollouts).some(
    (rollout: Rollout) =>
      rollout.region === region.name &&
      rollout.release === release.id &&
      (terminal(rollout.phase) ? rollout.phase.name !== "superseded" : true),
  )

function stableRelease(app: Application, region: Region | undefined): Release | undefined {
  if (region?.stable === undefined) return undefined
  const rollout = app.rollouts[region.stable]
  return rollout && app.releases[rollout.release]
}
