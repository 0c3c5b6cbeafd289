import { chmodSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { RolloutSummary, RolloutView, TimelineEntry } from "../../api/contract/views.ts"
import type { Kind } from "./repository.ts"
import type { Stage } from "./stage.ts"

/** How the bad part of the story ended. */
export type BadEnd = {
  readonly kind: Kind
  readonly outcome: string
  readonly region: string
  readonly locked: boolean
  readonly quarantined: boolean
  readonly metric: string | undefined
  readonly harmedRequests: number
  /** From the first bad answer that a user got. */
  readonly secondsToDetect: number | undefined
  readonly secondsToZeroWeight: number | undefined
  readonly asExpected: boolean
  readonly rollout: number | undefined
  readonly pool: string | undefined
  /** When its instances were seen to have died, in ms since 1970. */
  readonly crashes: readonly number[]
}

type Tell = (line: string) => void

const subjects: Readonly<Record<Kind, string>> = {
  errors: "batch writes",
  slow: "check every item",
  crash: "new allocator",
  leak: "cache everything",
  wrong: "new price list",
  drift: "",
  blind: "tidy up",
}

/** Does something bad and waits for what the system makes of it. */
export function damage(stage: Stage, kind: Kind, tell: Tell): Promise<BadEnd> {
  switch (kind) {
    case "drift":
      return edit(stage, tell)
    case "blind":
      return blind(stage, tell)
    default:
      return badCommit(stage, kind, tell)
  }
}

/** Follows a commit up; gates are opened, as somebody who trusts the sandboxes would. */
async function follow(
  stage: Stage,
  commit: string,
  tell: Tell,
  over: (rollout: RolloutSummary) => boolean,
): Promise<RolloutSummary> {
  const told = new Set<string>()
  return stage.until(`the end of ${commit.slice(0, 7)}`, async () => {
    const { rollouts } = await stage.app()
    const mine = rollouts.filter((rollout) => commit.startsWith(rollout.commit)).reverse()
    for (const rollout of mine) {
      if (!told.has(`${rollout.number} ${rollout.phase}`)) tell(`${rollout.region}: ${rollout.sentence}`)
      told.add(`${rollout.number} ${rollout.phase}`)
      if (rollout.phase === "queued" && rollout.asks) {
        await stage.order(`/v1/apps/papi/rollouts/${rollout.number}/approve`, {
          reason: "tests and mirror passed",
        })
        tell(`gate: Mira lets ${rollout.commit} into ${rollout.region}`)
      }
      if (over(rollout)) return rollout
    }
    return undefined
  })
}

const ended = (rollout: RolloutSummary): boolean =>
  ["rolled-back", "failed", "rollback-failed"].includes(rollout.phase) ||
  (rollout.region === "prod4" && rollout.phase === "succeeded")

async function badCommit(stage: Stage, kind: Kind, tell: Tell): Promise<BadEnd> {
  const commit = stage.repository.commit(subjects[kind], "Tom", kind, 3)
  tell(`commit ${commit.slice(0, 7)} "${subjects[kind]}" is pushed; it is bad: ${kind}`)
  const rollout = await follow(stage, commit, tell, ended)
  const view = await stage.rollout(rollout.number)
  const pool = `r${rollout.number}`
  const hurt = stage.traffic.seen.filter(
    (request) => (request.release === commit || request.pool === pool) && isBad(request, kind),
  )
  const first = hurt.reduce<number | undefined>(
    (least, request) =>
      least === undefined || request.at + request.ms < least ? request.at + request.ms : least,
    undefined,
  )
  const app = await stage.app()
  const back = rollout.phase === "rolled-back"
  return {
    kind,
    outcome: rollout.phase,
    region: rollout.region,
    locked: app.locks.length > 0,
    quarantined: app.quarantined.some((known) => commit.startsWith(known.commit)),
    metric:
      view.look?.verdicts.find((verdict) => verdict.kind === "worse" && verdict.critical)?.metric ??
      view.look?.verdicts.find((verdict) => verdict.kind === "worse")?.metric,
    harmedRequests: hurt.length,
    secondsToDetect: secondsSince(first, view, "abort-started"),
    secondsToZeroWeight: secondsSince(first, view, "weight-returned"),
    asExpected: back && app.locks.length > 0,
    rollout: rollout.number,
    pool,
    crashes: view.timeline.flatMap(({ type, at }) => (type === "instance-crashed" ? [at] : [])),
  }
}

function isBad(request: { readonly ok: boolean; readonly ms: number }, kind: Kind): boolean {
  if (kind === "slow") return !request.ok || request.ms > 120
  return kind === "wrong" || !request.ok
}

function secondsSince(first: number | undefined, view: RolloutView, type: string): number | undefined {
  const at = view.timeline.find((entry) => entry.type === type)?.at
  return first === undefined || at === undefined ? undefined : Math.round((at - first) / 100) / 10
}

/** Somebody "fixes" a file on a running production server. */
async function edit(stage: Stage, tell: Tell): Promise<BadEnd> {
  const victim = (await stage.instances()).find(
    (instance) => instance.region === "prod4" && instance.weight > 0,
  )
  if (!victim) throw new Error("there is no instance in prod4 to edit")
  const folder = await stage.filesOf(victim.id)
  const began = Date.now()
  chmodSync(folder, 0o755)
  chmodSync(join(folder, "papi.json"), 0o644)
  writeFileSync(join(folder, "papi.json"), '{ "flaw": "none", "speed": 1 }\n')
  tell(`somebody edits papi.json on ${victim.id}`)
  const timeline = await stage.until("the edited instance to be replaced", async () => {
    const events = await stage.timeline()
    return events.some((entry) => entry.type === "instance-stopped" && entry.title.includes(victim.id))
      ? events
      : undefined
  })
  const at = (type: string): number | undefined =>
    timeline.find((entry) => entry.type === type && entry.title.includes(victim.id))?.at
  const seconds = (entry: number | undefined) =>
    entry === undefined ? undefined : Math.round((entry - began) / 100) / 10
  const found = timeline.find((entry: TimelineEntry) => entry.type === "instance-modified")
  tell(`${found?.title ?? "found"}; a fresh instance took its place`)
  return {
    kind: "drift",
    outcome: "replaced",
    region: "prod4",
    locked: false,
    quarantined: false,
    metric: undefined,
    harmedRequests: 0,
    secondsToDetect: seconds(at("instance-modified")),
    secondsToZeroWeight: seconds(at("instance-retired")),
    asExpected: found !== undefined,
    rollout: undefined,
    pool: undefined,
    crashes: [],
  }
}

/** The metrics' own connection breaks in the middle of a comparison; the router goes on serving. */
async function blind(stage: Stage, tell: Tell): Promise<BadEnd> {
  const commit = stage.repository.commit(subjects.blind, "Tom", "none", 3)
  tell(`commit ${commit.slice(0, 7)} "${subjects.blind}" is pushed; nothing is wrong with it`)
  const rollout = await follow(
    stage,
    commit,
    tell,
    (known) => known.region === "prod3" && known.phase === "shifting",
  )
  const socket = join(stage.dir, "server", "router", "stats.sock")
  const began = Date.now()
  renameSync(socket, `${socket}.gone`)
  tell("the router's metrics can no longer be read")
  await stage.until("the rollout to hold", async () => {
    const view = await stage.rollout(rollout.number)
    return view.summary.phase === "holding" ? view : undefined
  })
  const before = (await stage.rollout(rollout.number)).summary
  tell(`${before.sentence} It is given time to do something rash.`)
  await new Promise((resolve) => setTimeout(resolve, 8_000))
  const view = await stage.rollout(rollout.number)
  const app = await stage.app()
  const still = view.summary.phase === "holding" && view.summary.weight === before.weight
  return {
    kind: "blind",
    outcome: still ? "held" : view.summary.phase,
    region: rollout.region,
    locked: app.locks.length > 0,
    quarantined: app.quarantined.some((known) => commit.startsWith(known.commit)),
    metric: undefined,
    harmedRequests: 0,
    secondsToDetect: secondsSince(began, view, "held"),
    secondsToZeroWeight: undefined,
    asExpected: still && app.locks.length === 0,
    rollout: rollout.number,
    pool: undefined,
    crashes: [],
  }
}
