import { valuesIn } from "../model/configuration.ts"
import { freezeChanges } from "../model/freeze.ts"
import { originOf } from "../model/origin.ts"
import type { HealthPolicy, RunPolicy } from "../model/policy.ts"
import type { Instant } from "../model/time.ts"
import { underway } from "../rollout/evolve-rollout.ts"
import { stageOf } from "../rollout/looked.ts"
import { type Rollout, regionPolicy, terminal } from "../rollout/rollout.ts"
import { routedInstances, targetWeights, trafficStep } from "../rollout/traffic.ts"
import { withAccepted } from "./accept-answers.ts"
import type { Application, Instance, Region } from "./application.ts"
import { drillDeadline } from "./drill.ts"
import type { Effect, MeasureSpec, PoolSpec, RouteHealth, RouteSpec, Wanted } from "./effects.ts"
import { poolName, previewName, routeName } from "./input.ts"
import { replacementPause } from "./instances.ts"
import { contractWait } from "./migrations.ts"
import { placesOf } from "./places.ts"
import { isLeft } from "./servers.ts"
import { spentAt } from "./surge.ts"

/**
 * What the world should look like, from the state alone. Forgetting an effect is impossible: it is wanted again.
 * `known`: what was wanted of the same state; only the time to wake up at is asked for anew.
 */
export function wanted(app: Application, now: Instant, known?: readonly Effect[]): Wanted {
  let wakeAt: Instant | undefined
  for (const at of wakeTimes(app, now)) if (at > now && (wakeAt === undefined || at < wakeAt)) wakeAt = at
  return { effects: known ?? effectsOf(app), wakeAt }
}

/** Servers that are ahead of the journal keep what they have, tables included. */
const effectsOf = (app: Application): readonly Effect[] => (app.ahead ? [] : effectsOfAll(app))

const effectsOfAll = (app: Application): readonly Effect[] => [
  ...builds(app),
  ...placesOf(app).flatMap((region) =>
    Object.values(region.instances).flatMap((instance) => instanceEffects(app, instance, region)),
  ),
  { kind: "set-routes", routes: routes(app) },
  ...drillTests(app),
  ...active(app).flatMap((rollout) => [...tests(app, rollout), ...measurements(app, rollout)]),
]

const active = (app: Application): readonly Rollout[] =>
  app.regions.flatMap((region) => {
    const rollout = region.active === undefined ? undefined : app.rollouts[region.active]
    return rollout ? [rollout] : []
  })

const builds = (app: Application): readonly Effect[] =>
  app.commits.flatMap((commit): readonly Effect[] => {
    if (commit.state.name !== "building") return []
    const { job, policy } = commit.state
    const servers = policy.regions[0]?.servers ?? []
    const server = servers.find((known) => !isLeft(app, known)) ?? servers[0] ?? "local"
    const { command, output, timeout } = policy.build
    // A policy stored before builds had a network of their own says nothing about it.
    const network = policy.build.network ?? "none"
    const origin = originOf(app.source.url, commit.at)
    return [
      {
        kind: "run-job",
        job: { kind: "build", id: job, server, timeout, commit: commit.id, origin, command, output, network },
      },
    ]
  })

function instanceEffects(app: Application, instance: Instance, place: Region): readonly Effect[] {
  const rollout = app.rollouts[instance.pool]
  const release = app.releases[instance.release]
  if (!rollout || !release) return []
  const { server, id } = instance
  const run = place === app.drill?.place ? runInDrill(rollout.policy.run) : rollout.policy.run
  if (!instance.retired) {
    const { region } = rollout
    const { version } = release.configuration
    const values = valuesIn(release.configuration, region)
    const configuration = version > 0 ? { configuration: { version, values } } : {}
    const spec = { id, server, region, release: release.id, digest: release.digest, run, ...configuration }
    return [{ kind: "start-instance", instance: spec }]
  }
  if (!instance.released) return [{ kind: "release-instance", server, instance: id, drain: run.drain }]
  return [{ kind: "stop-instance", server, instance: id, grace: run.drain }]
}

/** Whoever would do something by itself, such as taking from a queue, is told that it is a drill. */
const runInDrill = (run: RunPolicy): RunPolicy => ({ ...run, env: { ...run.env, IMMUNITY_DRILL: "1" } })

/** The whole routing table; the same push at rest, in change and in recovery. */
function routes(app: Application): readonly RouteSpec[] {
  const drill = drillRoute(app)
  const usual = app.regions.flatMap((region) => {
    const route = regionRoute(app, region)
    const preview = previewRoute(app, region)
    return [...(route ? [route] : []), ...(preview ? [preview] : [])]
  })
  return drill ? [...usual, drill] : usual
}

/** On the server itself, where no user comes. */
const someFreePort = "127.0.0.1:0"

/** What a drill rebuilt answers at an address of its own; no user is sent there. */
function drillRoute(app: Application): RouteSpec | undefined {
  const { drill } = app
  if (!drill || drill.result || drill.readyAt === undefined) return undefined
  const instances = Object.values(drill.place.instances).flatMap(({ id, address, state, retired }) =>
    address !== undefined && state === "ready" && !retired ? [{ id, address }] : [],
  )
  return {
    route: drillRouteName(app.app, drill.region),
    router: app.rollouts[drill.pool]?.policy.router,
    listen: someFreePort,
    plain: true,
    salt: "",
    sticky: { by: "none" },
    pools: instances.length > 0 ? [{ pool: poolName(drill.pool), weight: 100, instances }] : [],
    stable: undefined,
    mirror: undefined,
  }
}

const drillRouteName = (app: string, region: string): string => `${routeName(app, region)}/drill`

function drillTests(app: Application): readonly Effect[] {
  const { drill, rollouts, releases } = app
  const release = drill && releases[drill.release]
  const policy = drill && rollouts[drill.pool]?.policy
  if (!drill || !release || !policy || drill.result) return []
  // A test of nobody would fail, and say nothing of what was rebuilt.
  if (!drillRoute(app)?.pools.length) return []
  return drill.tests.flatMap((run): readonly Effect[] => {
    const test = policy.tests.find(({ name }) => name === run.name)
    if (run.passed !== undefined || !test) return []
    const { command, timeout } = test
    return [
      {
        kind: "run-job",
        job: {
          kind: "test",
          id: run.job,
          server: drill.place.policy.servers[0] ?? "local",
          timeout,
          digest: release.digest,
          command,
          route: drillRouteName(app.app, drill.region),
          release: release.id,
          region: drill.region,
        },
      },
    ]
  })
}

function regionRoute(app: Application, region: Region): RouteSpec | undefined {
  const shown = region.stable ?? region.active
  const rollout = shown === undefined ? undefined : app.rollouts[shown]
  if (!rollout) return undefined
  const policy = regionPolicy(rollout)
  const weights = targetWeights(app, region)
  const pools = Object.entries(weights).map(
    ([pool, weight]): PoolSpec => poolSpec(app, region, Number(pool), weight),
  )
  return {
    route: routeName(app.app, region.name),
    router: rollout.policy.router,
    listen: policy.listen,
    salt: `${app.app}/${region.name}/${region.active ?? region.stable ?? 0}`,
    sticky: policy.sticky,
    selection: policy.selection,
    first: policy.first && { keys: policy.first, pool: poolOfFirst(region, weights) },
    holdRequests: policy.holdRequests,
    pools,
    health: policy.servers.length > 1 ? acrossServers(rollout.policy.run.health) : undefined,
    stable: region.stable === undefined ? undefined : poolName(region.stable),
    mirror: mirrorOf(app, region),
  }
}

/** A candidate that has a share of the users; not when nobody shall meet it, nor when everybody does. */
function poolOfFirst(
  { stable, active }: Region,
  weights: Readonly<Record<number, number>>,
): string | undefined {
  if (stable === undefined || active === undefined || active === stable) return undefined
  return (weights[active] ?? 0) > 0 && (weights[stable] ?? 0) > 0 ? poolName(active) : undefined
}

/**
 * Over several servers the router must see for itself, and soon, whom it cannot reach: the control plane may not
 * see it at all. After at most about three seconds nobody is sent there.
 */
const acrossServers = ({ path, every, timeout, healthy }: HealthPolicy): RouteHealth => ({
  path,
  every: Math.min(every, 500),
  timeout: Math.min(timeout, 1_000),
  healthy,
  unhealthy: 2,
})

const poolSpec = (app: Application, region: Region, pool: number, weight: number): PoolSpec => ({
  pool: poolName(pool),
  weight,
  instances: routedInstances(app, region, pool, weight).flatMap(({ id, address }) =>
    address ? [{ id, address }] : [],
  ),
})

/** A region copies its reads to whoever compares itself with it right now. */
function mirrorOf(app: Application, source: Region): RouteSpec["mirror"] {
  for (const rollout of active(app)) {
    const { mirror } = regionPolicy(rollout)
    if (mirror?.from !== source.name || underway(rollout.phase)?.name !== "mirroring") continue
    const { sample, timeout, deny, headers } = mirror
    const tell = rollout.policy.metrics.some(({ kind }) => kind === "answers")
    return {
      to: previewName(app.app, rollout.region),
      sample,
      timeout,
      ...(deny ? { deny } : {}),
      ...(headers ? { headers } : {}),
      ...(tell ? { tell } : {}),
    }
  }
  return undefined
}

/** A copy is made by the router that carries the original; only that one can be asked to. */
function mirroringRouter(app: Application, rollout: Rollout): string | undefined {
  const from = regionPolicy(rollout).mirror?.from
  const source = app.regions.find((region) => region.name === from)
  const shown = source?.stable ?? source?.active
  const serving = shown === undefined ? undefined : app.rollouts[shown]
  return (serving ?? rollout).policy.router
}

/** Tests and mirrored requests reach the new instances alone, before any user does. */
function previewRoute(app: Application, region: Region): RouteSpec | undefined {
  const rollout = region.active === undefined ? undefined : app.rollouts[region.active]
  const now = rollout && underway(rollout.phase)
  if (!rollout || !now || now.name === "shifting" || now.name === "baking") return undefined
  const step = now.name === "mirroring" ? 0 : now.step
  const instances = Object.values(region.instances).flatMap((instance) =>
    instance.pool === rollout.number &&
    instance.step >= Math.min(step, trafficStep(rollout) + 1) &&
    instance.state === "ready" &&
    instance.address !== undefined &&
    !instance.retired
      ? [{ id: instance.id, address: instance.address }]
      : [],
  )
  return {
    route: previewName(app.app, region.name),
    router: mirroringRouter(app, rollout),
    listen: "127.0.0.1:0",
    plain: true,
    salt: "",
    sticky: { by: "none" },
    pools: instances.length > 0 ? [{ pool: poolName(rollout.number), weight: 100, instances }] : [],
    stable: undefined,
    mirror: undefined,
  }
}

function tests(app: Application, rollout: Rollout): readonly Effect[] {
  const now = underway(rollout.phase)
  const release = app.releases[rollout.release]
  const region = app.regions.find((known) => known.name === rollout.region)
  if (now?.name !== "verifying" || !release || !region) return []
  // A test of nobody would fail, and say nothing of the release.
  if (!previewRoute(app, region)?.pools.length) return []
  return now.tests.flatMap((run): readonly Effect[] => {
    const test = rollout.policy.tests.find((known) => known.name === run.name)
    if (run.passed !== undefined || !test) return []
    const server = regionPolicy(rollout).servers[0] ?? "local"
    return [
      {
        kind: "run-job",
        job: {
          kind: "test",
          id: run.job,
          server,
          timeout: test.timeout,
          digest: release.digest,
          command: test.command,
          route: previewName(app.app, rollout.region),
          release: release.id,
          region: rollout.region,
        },
      },
    ]
  })
}

function measurements(app: Application, rollout: Rollout): readonly Effect[] {
  const now = underway(rollout.phase)
  const stage = now && stageOf(now)
  const policy = regionPolicy(rollout)
  const region = app.regions.find((known) => known.name === rollout.region)
  if (!now || !stage || !region) return []
  if (now.name === "shifting" && now.reachedAt === undefined && now.step === 0) return []
  const since = now.name === "shifting" ? (now.reachedAt ?? now.since) : now.since
  const compared = stage !== "baking" && rollout.from !== undefined && policy.compare !== undefined
  if (stage === "shifting" && !compared) return []
  const measure: MeasureSpec = {
    rollout: rollout.number,
    earlier: earlierAttempts(app, rollout),
    region: rollout.region,
    stage,
    step: now.name === "mirroring" ? 0 : now.name === "baking" ? rollout.schedule.length : now.step,
    ...cohorts(app, region, rollout, stage),
    // Answers are compared only where no user sees the candidate's.
    metrics: withAccepted(app, rollout.release, rollout.policy.metrics).filter(
      ({ kind }) => kind !== "answers" || stage === "mirroring",
    ),
    judge: rollout.policy.judge,
    minSamples: policy.compare?.minSamples ?? 0,
    harm: policy.ramp !== undefined && stage === "shifting" ? true : undefined,
    judgeFrom: since + (policy.compare?.warmup ?? 0),
  }
  return [{ kind: "measure", measure }]
}

/** A retry must not roll the dice anew: what the same comparison showed before still counts. */
function earlierAttempts(app: Application, rollout: Rollout): readonly number[] {
  const controlOf = ({ from }: Rollout) => (from === undefined ? undefined : app.rollouts[from]?.release)
  return Object.values(app.rollouts)
    .filter(
      (other) =>
        other.number < rollout.number &&
        other.release === rollout.release &&
        other.region === rollout.region &&
        controlOf(other) === controlOf(rollout),
    )
    .map(({ number }) => number)
    .sort((a, b) => a - b)
}

function cohorts(
  app: Application,
  region: Region,
  rollout: Rollout,
  stage: MeasureSpec["stage"],
): Pick<MeasureSpec, "canary" | "control"> {
  const ids = (where: Region, pool: number) =>
    Object.values(where.instances).flatMap((instance) =>
      instance.pool === pool && !instance.retired ? [instance.id] : [],
    )
  const own = routeName(app.app, region.name)
  const pool = rollout.number
  if (stage === "mirroring") {
    const from = regionPolicy(rollout).mirror?.from ?? region.name
    const source = app.regions.find((known) => known.name === from)
    const route = routeName(app.app, from)
    const stable = source?.stable
    return {
      canary: { route, pool: poolName(pool), mirrored: true, instances: ids(region, pool) },
      control:
        source && stable !== undefined
          ? { route, pool: poolName(stable), mirrored: true, instances: ids(source, stable) }
          : undefined,
    }
  }
  const canary = { route: own, pool: poolName(pool), mirrored: false, instances: ids(region, pool) }
  if (stage === "baking" || rollout.from === undefined) return { canary, control: undefined }
  return {
    canary,
    control: {
      route: own,
      pool: poolName(rollout.from),
      mirrored: false,
      instances: ids(region, rollout.from),
    },
  }
}

function wakeTimes(app: Application, now: Instant): readonly Instant[] {
  const times: Instant[] = []
  if (app.drill && !app.drill.result) times.push(drillDeadline(app, app.drill))
  for (const rollout of active(app)) {
    const { phase } = rollout
    if (terminal(phase)) continue
    if (phase.name === "queued" && phase.gate) times.push(phase.gate.expiresAt)
    const contract = phase.name === "queued" ? contractWait(app, rollout) : undefined
    if (contract?.until !== undefined) times.push(contract.until)
    if (phase.name === "provisioning") times.push(phase.deadline)
    if (phase.name === "holding" && phase.hold.until !== undefined) times.push(phase.hold.until)
    if (phase.name === "aborting") times.push(phase.since + regionPolicy(rollout).deadline)
    if (phase.name === "shifting" && phase.reachedAt !== undefined)
      times.push(phase.reachedAt + regionPolicy(rollout).pause)
    for (const window of rollout.policy.freeze) times.push(...freezeChanges(window, now))
  }
  for (const region of app.regions) {
    const spent = spentAt(app, region, now)
    if (spent !== undefined) times.push(spent)
    for (const instance of Object.values(region.instances)) {
      if (instance.retired || instance.condemned) times.push(instance.requestedAt + replacementPause)
      else if (instance.state === "starting") times.push(instance.requestedAt + region.policy.deadline)
    }
  }
  return times
}
