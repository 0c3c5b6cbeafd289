import type { RegionName } from "../model/ids.ts"
import type { Instant } from "../model/time.ts"
import { regionPolicy, type TestRun } from "../rollout/rollout.ts"
import type { Application, Drill, Region } from "./application.ts"
import { type Draft, type Refusal, refuse } from "./draft.ts"
import { lastDrillNumber } from "./evolve-drill.ts"
import { endDrill, giveWay } from "./give-way.ts"
import type { JobOutcome } from "./input.ts"
import { drillPlace } from "./places.ts"
import { isWithin, unrest } from "./rest.ts"
import { refusedIn } from "./room.ts"
import { placeFor } from "./servers.ts"

/** Crashes after which a region counts as one that cannot be rebuilt. */
const mostCrashes = 3

/** After a drill that gave way another one is tried no sooner. */
const againAfter = 3_600_000

/**
 * Rebuilds a region from images alone beside itself, tests it and ends it. It never holds anything up: whatever
 * users need more makes it give way, and what it started is wanted gone until it is gone.
 */
export function rehearse(draft: Draft): void {
  const { drill } = draft.state
  if (!drill) return startIfDue(draft)
  if (drill.result) return clear(draft, drill)
  const disturbed = unrest(draft)
  if (disturbed) return giveWay(draft, disturbed)
  const refused = refusedIn(draft, drill.place, drill.pool)
  if (refused) return giveWay(draft, `not enough capacity: ${refused}`)
  const wrong = whatWentWrong(draft, drill)
  if (wrong) return endDrill(draft, drill, "failed", wrong)
  rebuild(draft, drill)
  if (drill.readyAt === undefined) return
  if (drill.tests.every(({ passed }) => passed === true))
    endDrill(draft, drill, "passed", `${drill.region} was rebuilt from its images and passed its tests`)
}

/** A person orders one. */
export function orderDrill(draft: Draft, name: RegionName | undefined, reason: string): Refusal | undefined {
  const { state } = draft
  const region =
    name === undefined
      ? (state.regions.find(({ policy, stable }) => policy.production && stable !== undefined) ??
        state.regions.find(({ stable }) => stable !== undefined))
      : draft.region(name)
  if (!region) return refuse("unknown", `${state.app} has no region ${name ?? "that serves"}`)
  if (region.stable === undefined) return refuse("wrong-phase", `${region.name} serves no release to rebuild`)
  if (state.drill)
    return refuse("wrong-phase", `drill ${state.drill.number} at ${state.drill.region} is under way`)
  const disturbed = unrest(draft)
  if (disturbed) return refuse("wrong-phase", `no drill now: ${disturbed}`)
  start(draft, region, reason)
  return undefined
}

/** A test of the rebuilt region has ended. */
export function drillTestEnded(draft: Draft, job: string, outcome: JobOutcome): void {
  const { drill } = draft.state
  const test = drill?.tests.find((run) => run.job === job && run.passed === undefined)
  if (!drill || !test) return
  const passed = outcome.kind === "passed"
  const how = outcome.kind === "failed" ? `failed: ${outcome.because}` : "ended"
  draft.conclude(
    { type: "drill-test-ended", drill: drill.number, job, passed },
    `test ${test.name} ${passed ? "passed" : how}`,
  )
}

/** When the next one may begin by itself, region by region; undefined: never. */
export function nextDrillAt(app: Application, region: Region): Instant | undefined {
  const rollout = region.stable === undefined ? undefined : app.rollouts[region.stable]
  const policy = rollout?.policy.drill
  if (!rollout || !policy || !regionPolicy(rollout).production) return undefined
  const mine = (app.drills ?? []).filter((known) => known.region === region.name)
  const said = mine.find(({ kind }) => kind !== "gave-way")
  const since = said ? said.endedAt + policy.every : 0
  return Math.max(since, (mine[0]?.endedAt ?? 0) + (mine[0] ? Math.min(againAfter, policy.every) : 0))
}

function startIfDue(draft: Draft): void {
  const { state, at, limits } = draft
  const due = state.regions.flatMap((region) => {
    const next = nextDrillAt(state, region)
    return next !== undefined && at >= next ? [{ region, next }] : []
  })
  // The one that waits longest; the order of the regions decides where nobody ever did.
  const [first] = due.sort((a, b) => a.next - b.next)
  const rollout = first?.region.stable === undefined ? undefined : draft.rollout(first.region.stable)
  if (!first || !isWithin(rollout?.policy.drill?.between, at, limits.local)) return
  if (unrest(draft) === undefined) start(draft, first.region, undefined)
}

function start(draft: Draft, { name, stable }: Region, reason: string | undefined): void {
  const rollout = stable === undefined ? undefined : draft.rollout(stable)
  if (!rollout) return
  const event = {
    type: "drill-started",
    drill: lastDrillNumber(draft.state) + 1,
    region: name,
    release: rollout.release,
    pool: rollout.number,
  } as const
  if (reason === undefined) draft.conclude(event, "its time has come; nothing else is going on")
  else draft.add(event, reason)
}

const instancesOf = ({ place }: Drill) => Object.values(place.instances)

/** Asks for what is missing; when all are healthy the tests may begin. */
function rebuild(draft: Draft, drill: Drill): void {
  const { size, servers, tests } = drill.place.policy
  const live = instancesOf(drill).filter(({ retired }) => !retired)
  const healthy = live.filter(({ state, condemned }) => state === "ready" && !condemned).length
  if (drill.readyAt === undefined && healthy >= size) {
    const runs = tests.map(
      (name): TestRun => ({
        name,
        job: `${draft.state.app}-test-d${drill.number}-${drill.region}-${name}`,
        passed: undefined,
      }),
    )
    const took = Math.round((draft.at - drill.at) / 100) / 10
    draft.conclude(
      { type: "drill-ready", drill: drill.number, tests: runs },
      `${size} instances were healthy after ${took} s`,
    )
    return
  }
  for (let missing = size - live.length; missing > 0; missing--) {
    const place = draft.state.drill?.place
    const server = place && placeFor(draft.state, place, drill.pool, servers)
    if (!place || server === undefined) return
    draft.conclude(
      {
        type: "instance-requested",
        region: place.name,
        instance: `${draft.state.app}-${drill.region}-d${drill.number}-${place.nextSerial}`,
        pool: drill.pool,
        server,
        step: 0,
        replaces: undefined,
      },
      "the drill rebuilds the region",
    )
  }
}

function whatWentWrong(draft: Draft, drill: Drill): string | undefined {
  const failed = drill.tests.find(({ passed }) => passed === false)
  if (failed) return `test ${failed.name} failed on what was rebuilt`
  if (drill.crashes >= mostCrashes) return `its instances crashed ${drill.crashes} times`
  if (draft.at < drillDeadline(draft.state, drill)) return undefined
  const ready = instancesOf(drill).filter(({ state, retired }) => state === "ready" && !retired).length
  return drill.readyAt === undefined
    ? `${ready} of ${drill.place.policy.size} instances were healthy before the deadline`
    : "its tests had no result before the deadline"
}

/** By when it must have come further. */
export function drillDeadline(app: Application, drill: Drill): Instant {
  const { deadline, tests } = drill.place.policy
  if (drill.readyAt === undefined) return drill.at + deadline
  const known = app.rollouts[drill.pool]?.policy.tests ?? []
  const longest = known.reduce((sum, { name, timeout }) => sum + (tests.includes(name) ? timeout : 0), 0)
  return drill.readyAt + deadline + longest
}

/** By the same handshake as any instance; what waits for a lost server is ended when that is back. */
function clear(draft: Draft, drill: Drill): void {
  const left = instancesOf(drill)
  for (const { id, retired } of left) {
    if (retired) continue
    const because = "the drill is over"
    draft.conclude(
      { type: "instance-retired", region: drillPlace(drill.region), instance: id, because },
      because,
    )
  }
  if (left.length === 0)
    draft.conclude(
      { type: "drill-cleared", drill: drill.number, region: drill.region },
      "everything that it started is gone",
    )
}
