import type { JobId } from "../model/ids.ts"
import { unreachable } from "../model/unreachable.ts"
import { underway } from "../rollout/evolve-rollout.ts"
import { looked } from "../rollout/looked.ts"
import { lookAhead } from "./ahead.ts"
import type { Application, Instance, Region, Source } from "./application.ts"
import type { Draft } from "./draft.ts"
import { drillTestEnded } from "./drill.ts"
import type { Difference } from "./events.ts"
import { matchesAny } from "./glob.ts"
import { type Fact, type InstanceFacts, poolNumber, routeName, type ServerFacts } from "./input.ts"
import { trimAfterReturn } from "./instances.ts"
import { migrationsIn } from "./migrations.ts"
import { placesOf } from "./places.ts"
import { allWell, followServers, isLost } from "./servers.ts"

/** Takes in what the world reports. What is known already, or no longer matters, adds nothing. */
export function learn(draft: Draft, fact: Fact): undefined {
  switch (fact.type) {
    case "commit-seen":
      return commitSeen(draft, fact)
    case "job-ended":
      return jobEnded(draft, fact)
    case "observed":
      lookAhead(draft, fact)
      if (draft.state.ahead) return undefined
      draft.sawRouter = fact.servers.some(({ routes }) => routes !== undefined)
      draft.answering = new Set(fact.servers.map(({ server }) => server))
      for (const region of draft.state.regions) weights(draft, region, fact.servers)
      for (const server of fact.servers) observed(draft, server)
      if (fact.letGo && !allWell(draft.state)) letGoOfLost(draft, new Set(fact.letGo))
      // After what its instances say: what went with a server is no failure of what ran there.
      if (fact.standings && followServers(draft, fact.standings).length > 0) trimAfterReturn(draft)
      return undefined
    case "looked":
      looked(draft, fact)
      return undefined
    case "tick":
      return undefined
    default:
      return unreachable(fact)
  }
}

function commitSeen(draft: Draft, fact: Extract<Fact, { type: "commit-seen" }>): undefined {
  // A look at its repository that came too late: what it saw is another application's, or was a mistyped address.
  if (draft.state.removed || isElsewhere(draft.state.source, fact.source)) return
  if (draft.state.commits.some((known) => known.id === fact.commit)) return
  const { commit, subject, author, email, committedAt } = fact
  if ("problems" in fact.config) {
    draft.conclude(
      {
        type: "commit-refused",
        commit,
        subject,
        author,
        email,
        committedAt,
        problems: fact.config.problems,
        changed: fact.changed.slice(0, mostRemembered),
      },
      "its immunity.yaml is not valid; what runs stays as it is",
    )
    return
  }
  const { policy } = fact.config
  const migrations = migrationsIn(policy, [...changedBefore(draft), ...fact.changed])
  draft.conclude(
    {
      type: "commit-found",
      commit,
      subject,
      author,
      email,
      committedAt,
      files: fact.changed.length,
      irreversible: fact.changed.some((path) => matchesAny(policy.rollback.irreversible, path)),
      ...(migrations ? { migrations } : {}),
      policy,
    },
    "new on the branch",
  )
}

const isElsewhere = (known: Source, read: Source | undefined): boolean =>
  read !== undefined && (read.url !== known.url || read.branch !== known.branch)

const mostRemembered = 500

/** What refused commits just before it touched comes with it: nobody could read then what that means. */
function changedBefore({ state }: Draft): readonly string[] {
  const lastRead = state.commits.findLastIndex(({ state: { name } }) => name !== "refused")
  return state.commits.slice(lastRead + 1).flatMap(({ changed }) => changed ?? [])
}

/** Jobs whose end would change anything; agents go on telling of all others that they remember. */
export function awaitedJobs(app: Application): ReadonlySet<JobId> {
  const awaited = new Set<JobId>()
  for (const { state } of app.commits) if (state.name === "building") awaited.add(state.job)
  for (const { phase } of Object.values(app.rollouts)) {
    const now = underway(phase)
    if (now?.name !== "verifying") continue
    for (const { job, passed } of now.tests) if (passed === undefined) awaited.add(job)
  }
  for (const { job, passed } of app.drill?.tests ?? []) if (passed === undefined) awaited.add(job)
  return awaited
}

function jobEnded(draft: Draft, fact: Extract<Fact, { type: "job-ended" }>): undefined {
  const commit = draft.state.commits.find(
    (known) => known.state.name === "building" && known.state.job === fact.job,
  )
  const { outcome } = fact
  if (commit) {
    if (outcome.kind === "built") {
      const order = draft.state.nextRelease
      draft.conclude(
        { type: "build-succeeded", commit: commit.id, digest: outcome.digest, bytes: outcome.bytes, order },
        "built once from the commit",
      )
    } else {
      const because = outcome.kind === "failed" ? outcome.because : "it ended without an artifact"
      draft.conclude({ type: "build-failed", commit: commit.id, job: fact.job, because }, because)
    }
    return
  }
  drillTestEnded(draft, fact.job, outcome)
  for (const rollout of Object.values(draft.state.rollouts)) {
    const now = underway(rollout.phase)
    if (now?.name !== "verifying") continue
    const test = now.tests.find((run) => run.job === fact.job && run.passed === undefined)
    if (!test) continue
    if (outcome.kind === "passed") {
      draft.conclude(
        { type: "test-passed", rollout: rollout.number, job: fact.job },
        `test ${test.name} passed`,
      )
    } else {
      const because = outcome.kind === "failed" ? outcome.because : "it ended without a result"
      draft.conclude(
        {
          type: "test-failed",
          rollout: rollout.number,
          job: fact.job,
          because: `test ${test.name} failed: ${because}`,
        },
        because,
      )
    }
  }
}

function observed(draft: Draft, facts: ServerFacts): void {
  const seen = new Map(facts.instances.map((instance) => [instance.instance, instance]))
  for (const region of placesOf(draft.state)) {
    for (const instance of Object.values(region.instances)) {
      if (instance.server !== facts.server) continue
      if (!instance.released && instance.retired && facts.released.includes(instance.id)) {
        draft.conclude(
          { type: "instance-released", region: region.name, instance: instance.id },
          "weight 0 and nothing in flight; the router refuses it for ever",
        )
      }
      const found = seen.get(instance.id)
      if (found) instanceSeen(draft, region, instance, found)
      else instanceMissing(draft, region, instance)
    }
  }
}

/**
 * Where several routers carry a route, a pool has what the one says that gives it most: while they differ the
 * weights sum to more than 100, no step is reached and nobody is away yet.
 */
function weights(draft: Draft, region: Region, servers: readonly ServerFacts[]): void {
  const name = routeName(draft.state.app, region.name)
  const routes = servers.map(({ routes }) => routes?.[name]).filter((route) => route !== undefined)
  if (routes.length === 0) return
  const acknowledged: Record<number, number> = {}
  for (const route of routes)
    for (const pool of Object.keys(route)) {
      const weight = route[pool] ?? 0
      const number = poolNumber(pool)
      if (weight > 0) acknowledged[number] = Math.max(weight, acknowledged[number] ?? 0)
    }
  if (sameWeights(acknowledged, region.weights)) return
  draft.conclude(
    { type: "weights-observed", region: region.name, weights: acknowledged },
    "the router acknowledged it",
  )
}

function sameWeights(a: Readonly<Record<number, number>>, b: Readonly<Record<number, number>>): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[Number(key)] === b[Number(key)])
}

function instanceSeen(draft: Draft, region: Region, instance: Instance, found: InstanceFacts): void {
  const at = { region: region.name, instance: instance.id }
  if (found.state === "ended") {
    if (instance.state === "ended" || instance.retired) return
    if (isLost(draft.state, instance.server)) return wentWithItsServer(draft, region, instance)
    const exit = found.exit ?? { code: undefined, signal: undefined, because: "ended, nobody saw how" }
    draft.conclude({ type: "instance-crashed", ...at, exit }, exit.because)
    return
  }
  if (found.differences.length > 0 && !instance.condemned && !instance.retired)
    modified(draft, region, instance, found.differences)
  if (instance.retired) return
  if (found.state === "ready" && instance.state !== "ready" && found.address) {
    draft.conclude({ type: "instance-ready", ...at, address: found.address }, "its health probe passes")
  }
  if (found.state === "unready" && instance.state === "ready") {
    draft.conclude(
      { type: "instance-unready", ...at, because: "its health probe fails" },
      "its health probe fails",
    )
  }
}

function modified(
  draft: Draft,
  region: Region,
  instance: Instance,
  differences: readonly Difference[],
): void {
  const event = {
    type: "instance-modified",
    region: region.name,
    instance: instance.id,
    differences,
  } as const
  const isOnlyState = differences.every(({ what }) => what === "written")
  if (isOnlyState && !instance.reported)
    draft.conclude(
      { ...event, stays: true },
      "it keeps state that goes with its server; a fresh one would do the same",
    )
  else if (isOnlyState) return
  else if (draft.rollout(instance.pool)?.policy.drift !== "report")
    draft.conclude(event, "nothing may be changed on a running instance; a fresh one takes its place")
  else if (!instance.reported)
    draft.conclude({ ...event, stays: true }, "the policy says drift: report; it stays until it is replaced")
}

function instanceMissing(draft: Draft, region: Region, instance: Instance): void {
  const at = { region: region.name, instance: instance.id }
  if (instance.retired) {
    if (instance.released) draft.conclude({ type: "instance-stopped", ...at }, instance.retired.because)
    return
  }
  // Asked for and not started yet looks the same as never seen; only one that was seen can be lost.
  if (instance.address === undefined) return
  if (isLost(draft.state, instance.server)) return wentWithItsServer(draft, region, instance)
  const exit = { code: undefined, signal: undefined, because: "gone: its server no longer knows it" }
  draft.conclude({ type: "instance-crashed", ...at, exit, lost: true }, exit.because)
}

/** Its server was away and came back without it: that says nothing of the release. */
function wentWithItsServer(draft: Draft, region: Region, instance: Instance): void {
  const because = `it went with its server ${instance.server}`
  draft.conclude({ type: "instance-retired", region: region.name, instance: instance.id, because }, because)
}

/** The routers alone say when a lost server's instance is let go of; it cannot. */
function letGoOfLost(draft: Draft, letGo: ReadonlySet<string>): void {
  for (const region of placesOf(draft.state))
    for (const { id, server, retired, released } of Object.values(region.instances))
      if (retired && !released && letGo.has(id) && isLost(draft.state, server))
        draft.conclude(
          { type: "instance-released", region: region.name, instance: id },
          "no router sends anybody to it any more; its server does not answer",
        )
}
