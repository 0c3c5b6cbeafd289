import { commitOf } from "../model/configuration.ts"
import { type RegionName, type ReleaseId, type RolloutNumber, shortCommit } from "../model/ids.ts"
import type { Migrations } from "../model/migrations.ts"
import type { MigrationPolicy, Policy } from "../model/policy.ts"
import type { Instant } from "../model/time.ts"
import type { Rollout } from "../rollout/rollout.ts"
import type { Application, Region } from "./application.ts"
import type { Draft } from "./draft.ts"
import { matchesAny } from "./glob.ts"

/** What a commit's files do to what releases share; undefined: nothing. */
export function migrationsIn(policy: Policy, changed: readonly string[]): Migrations | undefined {
  const declared = policy.migrations
  if (!declared) return undefined
  const contract = changed.filter((path) => matchesAny(declared.contract, path))
  const expand = changed.filter((path) => !contract.includes(path) && matchesAny(declared.paths, path))
  return expand.length + contract.length === 0 ? undefined : { expand, contract }
}

/**
 * What the commits between the release that runs and another one do to what both share. Commits that were never
 * released by themselves count with the one that carries them. Undefined: nothing, or nothing runs yet.
 */
export function migrationsBetween(
  app: Application,
  running: ReleaseId | undefined,
  next: ReleaseId,
): Migrations | undefined {
  if (running === undefined) return undefined
  const placeOf = (release: ReleaseId) => app.commits.findIndex(({ id }) => id === commitOf(release))
  const found = app.commits
    .slice(placeOf(running) + 1, placeOf(next) + 1)
    .flatMap(({ migrations }) => migrations ?? [])
  if (found.length === 0) return undefined
  const all = (kind: keyof Migrations) => [...new Set(found.flatMap((one) => one[kind]))]
  return { expand: all("expand"), contract: all("contract") }
}

/** Why a contract step does not begin yet, until when, and what happens then. */
export type ContractWait = {
  readonly because: string
  /** When the old pools are given up by themselves; absent: a person gives them up, or a release arrives elsewhere. */
  readonly until: Instant | undefined
  readonly then: string
  /** Regions whose kept pools are in the way. */
  readonly kept: readonly RegionName[]
}

/**
 * A contract step takes away what releases older than the running one need. It waits while any of them could still
 * be swapped back to or serves: in its own region, and for production in all production regions, which share data.
 */
export function contractWait(app: Application, rollout: Rollout): ContractWait | undefined {
  const contract = rollout.migrations?.contract ?? []
  const running = rollout.from === undefined ? undefined : app.rollouts[rollout.from]?.release
  if (contract.length === 0 || running === undefined) return undefined
  const own = app.regions.find(({ name }) => name === rollout.region)
  const sharing = app.regions.filter((region) =>
    own?.policy.production ? region.policy.production : region === own,
  )
  const older = sharing.flatMap((region) =>
    poolsOf(region).flatMap((pool) => {
      const release = app.rollouts[pool]?.release
      return release !== undefined && isOlder(app, release, running) ? [{ region, pool, release }] : []
    }),
  )
  const [first] = older
  if (!first) return undefined
  const what = `its contract step (${contract.join(", ")}) takes away what ${shortCommit(first.release)} may need`
  const serving = older.find(({ region, pool }) => region.stable === pool || region.active === pool)
  if (serving)
    return {
      because: `${what}, which serves ${serving.region.name}`,
      until: undefined,
      then: `it goes on when ${shortCommit(running)} serves ${serving.region.name} as well`,
      kept: [],
    }
  const kept = [
    ...new Set(older.flatMap(({ region, pool }) => (region.kept.includes(pool) ? [region.name] : []))),
  ]
  if (kept.length === 0)
    return {
      because: `${what}; its last instances at ${first.region.name} are being ended`,
      until: undefined,
      then: "it goes on when they have ended",
      kept,
    }
  const until = givenUpAt(app, rollout.policy.migrations, kept)
  const names = kept.join(", ")
  return {
    because: `${what}, and it is kept at ${names} for a swap back`,
    until,
    then:
      until === undefined
        ? `nothing by itself: give the kept pool up (immunity pools release ${app.app} --region ${kept.join(",")}), and it goes on`
        : "the kept pool is given up, and it goes on",
    kept,
  }
}

const poolsOf = (region: Region): readonly RolloutNumber[] => [
  ...new Set([
    ...(region.stable === undefined ? [] : [region.stable]),
    ...region.kept,
    ...Object.values(region.instances).map(({ pool }) => pool),
  ]),
]

const isOlder = ({ releases }: Application, release: ReleaseId, running: ReleaseId): boolean =>
  commitOf(release) !== commitOf(running) && (releases[release]?.order ?? 0) < (releases[running]?.order ?? 0)

/** The window begins when the release that runs there succeeded: so long one may still go back. */
function givenUpAt(
  app: Application,
  policy: MigrationPolicy | undefined,
  regions: readonly RegionName[],
): Instant | undefined {
  const window = policy?.window
  if (window === undefined) return undefined
  const since = app.regions.flatMap(({ name, stable }) =>
    regions.includes(name) && stable !== undefined ? [app.rollouts[stable]?.endedAt ?? 0] : [],
  )
  return Math.max(...since) + window
}

/** Tells, once for each reason, that a queued rollout waits for its contract step. */
export function tellOfContract(draft: Draft, rollout: Rollout): ContractWait | undefined {
  const wait = contractWait(draft.state, rollout)
  if (wait && wait.because !== rollout.contractTold) {
    const { because, until, then } = wait
    draft.conclude({ type: "contract-held", rollout: rollout.number, because, until, then }, because)
  }
  return wait
}

/** Gives the kept pools up when the window is over; whether the contract step may begin. */
export function mayContract(draft: Draft, wait: ContractWait | undefined): boolean {
  if (!wait) return true
  if (wait.until !== undefined && draft.at >= wait.until)
    for (const region of wait.kept)
      draft.conclude(
        { type: "pools-released", region },
        "the time for which one can go back to it is over, and a contract step waits",
      )
  return false
}

/**
 * Why a release that has succeeded here is not swapped back: a contract step lies between. While it rolls out the
 * old release serves beside it and is known to bear what it does; afterwards nobody knows. An override lets a person.
 */
export function noWayBack(app: Application, rollout: Rollout, at: Instant): string | undefined {
  const contract = rollout.migrations?.contract ?? []
  const { override } = app
  const overridden =
    override !== undefined && at < override.until && (override.region ?? rollout.region) === rollout.region
  if (contract.length === 0 || rollout.phase.name !== "succeeded" || overridden) return undefined
  const before = rollout.from === undefined ? undefined : app.rollouts[rollout.from]?.release
  const old = before === undefined ? "the release before" : shortCommit(before)
  return `${shortCommit(rollout.release)} took away what ${old} may need (contract step ${contract.join(", ")}): fix forward with a new commit, or, if you know that ${old} can live with it, order an override first (immunity override)`
}
