import { changesBetween, noConfiguration } from "../../core/model/configuration.ts"
import { shortCommit } from "../../core/model/ids.ts"
import type { Instant } from "../../core/model/time.ts"
import { unreachable } from "../../core/model/unreachable.ts"
import { howToGoOn, whyBehind } from "../../core/pipeline/ahead.ts"
import type { Application } from "../../core/pipeline/application.ts"
import { underway } from "../../core/rollout/evolve-rollout.ts"
import { boundInWords } from "../../core/rollout/ramp.ts"
import { type Rollout, terminal, type Underway } from "../../core/rollout/rollout.ts"
import type { Interval } from "../../ports/evidence.ts"
import type { StoredEvent } from "../../ports/journal.ts"
import type { RolloutSummary, RolloutView, TimelineEntry } from "../contract/views.ts"
import { answersOf } from "./answers.ts"
import { consequencesOf } from "./consequences.ts"
import { costView } from "./cost.ts"
import { lastDrill, resultView } from "./drills.ts"
import { foresightOf } from "./foresight.ts"
import { contractWaitOf, kindOf, migrationOf } from "./migration.ts"
import { seriesOf } from "./series.ts"
import { strengthView } from "./strength.ts"
import { percent, spoken, titleOf, toldChange, toneOf } from "./words.ts"

export function summaryOf(app: Application, rollout: Rollout): RolloutSummary {
  const release = app.releases[rollout.release]
  const region = app.regions.find((known) => known.name === rollout.region)
  const { phase } = rollout
  return {
    number: rollout.number,
    region: rollout.region,
    commit: shortCommit(rollout.release),
    subject: release?.subject ?? "",
    author: release?.author ?? "",
    attempt: rollout.attempt,
    strategy: rollout.strategy,
    phase: phase.name,
    tone: toneOf(phase),
    sentence: contractSentence(app, rollout) ?? sentenceOf(rollout),
    queuedAt: rollout.queuedAt,
    startedAt: rollout.startedAt,
    endedAt: rollout.endedAt,
    weight: region?.weights[rollout.number] ?? 0,
    wait: waitOf(rollout) ?? contractWaitOf(app, rollout),
    migration: kindOf(rollout),
    asks:
      (phase.name === "queued" && phase.gate !== undefined && !rollout.approval) ||
      (phase.name === "holding" && (phase.hold.proposal !== undefined || phase.hold.why === "halted")) ||
      phase.name === "rollback-failed",
  }
}

export function rolloutView(
  app: Application,
  rollout: Rollout,
  events: readonly StoredEvent[],
  intervals: readonly Interval[],
  before: readonly Interval[],
  at: Instant,
): RolloutView {
  const current = underway(rollout.phase)
  const actions = actionsFor(app, rollout)
  const mine = events.filter((event) => concerns(event, rollout))
  const from = rollout.from === undefined ? undefined : app.rollouts[rollout.from]
  return {
    app: app.app,
    summary: summaryOf(app, rollout),
    behind: app.ahead && `Nothing is changed: ${whyBehind(app.ahead)}. ${howToGoOn(app)}.`,
    digest: app.releases[rollout.release]?.digest,
    evidence: gateEvidence(rollout),
    from: from && { number: from.number, commit: shortCommit(from.release) },
    configuration: configurationOf(app, rollout),
    migration: migrationOf(app, rollout),
    steps: rollout.schedule.map((step, i) => ({
      capacity: step.capacity,
      weight: step.weight,
      state: stateOfStep(rollout, mine, i),
    })),
    window: current && "window" in current ? current.window : undefined,
    tests: testsOf(current, mine),
    look: rollout.lastLook && {
      ...rollout.lastLook,
      verdicts: rollout.lastLook.verdicts.map((v) => ({ ...v })),
      decision: { ...rollout.lastLook.decision },
    },
    ...boundOf(rollout),
    foresight: foresightOf(rollout, intervals, before).map(({ because }) => because),
    rehearsals: rehearsalsOf(app, rollout),
    cost: costView(app, rollout, at),
    answers: answersOf(app, rollout),
    series: seriesOf(rollout.policy.metrics, intervals),
    actions,
    consequences: Object.fromEntries(
      actions.map((action) => [action, consequencesOf(app, rollout, action, at)]),
    ),
    harm: harmOf(mine, intervals),
    ...backOf(app, rollout, mine),
    timeline: mine.map(entryOf),
  }
}

function testsOf(current: Underway | undefined, mine: readonly StoredEvent[]): RolloutView["tests"] {
  if (current?.name === "verifying") return current.tests.map((test) => ({ ...test }))
  const started = mine.flatMap(({ event }) => (event.type === "verifying-started" ? event.tests : []))
  return mine.flatMap(({ event }) => {
    if (event.type !== "test-failed") return []
    const name = started.find(({ job }) => job === event.job)?.name ?? event.job
    return [{ name, job: event.job, passed: false, because: event.because }]
  })
}

/** Of the release that serves: how its region bore what was done to it on purpose. */
function rehearsalsOf(app: Application, rollout: Rollout): string[] {
  const region = app.regions.find(({ name }) => name === rollout.region)
  if (!region || region.stable !== rollout.number) return []
  const strength = strengthView(app, region)
  const drill = lastDrill(app, region)
  return [
    ...(strength ? [`${rollout.region}: ${strength.sentence}`] : []),
    ...(drill ? [resultView(drill).sentence] : []),
  ]
}

function configurationOf(app: Application, rollout: Rollout): RolloutView["configuration"] {
  const of = (number: number | undefined) => {
    const release = number === undefined ? undefined : app.rollouts[number]?.release
    return (release === undefined ? undefined : app.releases[release]?.configuration) ?? noConfiguration
  }
  const own = of(rollout.number)
  const changes = changesBetween(of(rollout.from), own).filter(
    ({ region }) => region === undefined || region === rollout.region,
  )
  return { version: own.version, changes: changes.map(toldChange) }
}

function boundOf({ policy, region, schedule }: Rollout): { readonly bound?: string } {
  const ramp = policy.regions.find(({ name }) => name === region)?.ramp
  return ramp && schedule.length > 1 ? { bound: boundInWords(ramp) } : {}
}

const gateEvidence = (rollout: Rollout): string =>
  rollout.phase.name === "queued" ? (rollout.phase.gate?.evidence ?? "") : (rollout.lastLook?.evidence ?? "")

function stateOfStep(rollout: Rollout, events: readonly StoredEvent[], step: number): string {
  const current = underway(rollout.phase)
  if (current?.name === "shifting" && current.step === step) return "now"
  const met = events.some(({ event }) => event.type === "step-reached" && event.step === step)
  if (met) return "done"
  const isOver = terminal(rollout.phase) || ["aborting", "rolling-back"].includes(rollout.phase.name)
  return isOver ? "not reached" : "to come"
}

/** What a person may do now. */
function actionsFor(app: Application, rollout: Rollout): string[] {
  const { phase } = rollout
  if (app.removed || app.ahead) return []
  if (phase.name === "queued") return phase.gate && !rollout.approval ? ["approve", "reject"] : ["halt"]
  if (phase.name === "holding") {
    const asks = phase.hold.proposal !== undefined ? ["approve", "reject"] : ["resume"]
    return phase.hold.why === "halted" ? [...asks, "rollback"] : [...asks, "halt", "rollback"]
  }
  if (underway(phase)) return ["halt", "rollback"]
  const serving = app.regions.find((region) => region.name === rollout.region)?.stable === rollout.number
  const back = serving && rollout.from !== undefined && !migrationOf(app, rollout)?.noWayBack
  if (phase.name === "succeeded") return back ? ["rollback"] : []
  return ["rolled-back", "failed", "cancelled"].includes(phase.name) ? ["retry"] : []
}

/** How long it took from the decision until the routers sent nobody to it any more. */
function backOf(
  app: Application,
  rollout: Rollout,
  events: readonly StoredEvent[],
): Pick<RolloutView, "back"> {
  const decided = events.findLast(({ event }) => event.type === "abort-started")
  const returned = events.findLast(({ event }) => event.type === "weight-returned")
  if (!rollout.hadTraffic || decided?.event.type !== "abort-started" || !returned) return {}
  const to = decided.event.to === undefined ? undefined : app.rollouts[decided.event.to]?.release
  if (to === undefined || returned.at < decided.at) return {}
  return { back: { to: shortCommit(to), milliseconds: returned.at - decided.at } }
}

/** Requests that the canary answered badly while users could meet it; mirrored ones hurt nobody. */
function harmOf(events: readonly StoredEvent[], intervals: readonly Interval[]): RolloutView["harm"] {
  let requests = 0
  let bad = 0
  for (const interval of intervals) {
    if (interval.stage === "mirroring") continue
    const first = interval.measurements.find((m) => m.canary?.kind === "proportion")
    if (first?.canary?.kind !== "proportion") continue
    requests += first.canary.total
    bad += first.canary.bad
  }
  const began = events.find((stored) => stored.event.type === "step-started")
  const ended = events.find((stored) => stored.event.type === "weight-returned")
  return { requests, bad, milliseconds: began && ended ? Math.max(0, ended.at - began.at) : 0 }
}

function concerns(stored: StoredEvent, rollout: Rollout): boolean {
  const { event } = stored
  if ("rollout" in event) return event.rollout === rollout.number
  if (event.type === "locked") return event.lock.rollout === rollout.number
  if (event.type === "instance-requested") return event.pool === rollout.number
  if ("instance" in event) return event.instance.includes(`-${rollout.region}-r${rollout.number}-`)
  return false
}

export function entryOf(stored: StoredEvent): TimelineEntry {
  const { event } = stored
  return {
    sequence: stored.sequence,
    version: stored.version,
    at: stored.at,
    by: stored.by,
    type: event.type,
    title: titleOrType(stored),
    because: stored.because,
    rollout: "rollout" in event ? event.rollout : undefined,
    region: "region" in event ? event.region : undefined,
    evidence:
      event.type === "looked"
        ? event.look.evidence
        : event.type === "locked"
          ? event.lock.evidence
          : undefined,
  }
}

/** An event of a version after ours is shown as it is called: it keeps nobody from reading all the others. */
function titleOrType({ event }: StoredEvent): string {
  try {
    return titleOf(event)
  } catch {
    return `${String((event as { type: unknown }).type).slice(0, 60)}, which this version does not understand`
  }
}

function waitOf(rollout: Rollout): RolloutSummary["wait"] {
  const { phase } = rollout
  if (phase.name === "queued" && phase.gate && !rollout.approval) {
    return {
      for:
        phase.gate.because === undefined
          ? "a person's approval"
          : `a person's approval (${phase.gate.because})`,
      since: phase.gate.openedAt,
      until: phase.gate.expiresAt,
      then: "it expires and nothing is deployed",
    }
  }
  if (phase.name === "queued" && phase.lacks) {
    const { because, since } = phase.lacks
    return {
      for: `room: ${because}`,
      since,
      then: "it begins by itself when there is room; nothing of it was started",
    }
  }
  if (phase.name === "holding") {
    return { for: phase.hold.because, since: phase.since, until: phase.hold.until, then: phase.hold.then }
  }
  if (phase.name === "provisioning") {
    return { for: "healthy instances", since: phase.since, until: phase.deadline, then: "it is stopped" }
  }
  return undefined
}

/** Once no person is waited for, a queued contract step says what it waits for. */
function contractSentence(app: Application, rollout: Rollout): string | undefined {
  const asks = rollout.phase.name === "queued" && rollout.phase.gate && !rollout.approval
  const wait = asks ? undefined : contractWaitOf(app, rollout)
  return wait && `${shortCommit(rollout.release)} holds before ${rollout.region}: ${wait.for}.`
}

function sentenceOf(rollout: Rollout): string {
  const { phase, region } = rollout
  const what = shortCommit(rollout.release)
  switch (phase.name) {
    case "queued":
      return phase.gate && !rollout.approval
        ? `${what} waits for a person before ${region}.`
        : phase.lacks
          ? `${what} waits for room at ${region}: ${phase.lacks.because}.`
          : `${what} waits its turn at ${region}.`
    case "provisioning":
      return `${what} gets fresh instances at ${region} (step ${phase.step + 1} of ${rollout.schedule.length}).`
    case "verifying":
      return phase.step > 0
        ? `${what} has more instances tested at ${region}; no user meets those yet.`
        : `${what} is tested at ${region}; no user meets it.`
    case "mirroring":
      return `${what} is compared at ${region} on copied read-only requests: ${progressOf(phase.window)}.`
    case "shifting":
      return `${what} has ${percent(rollout.schedule[phase.step]?.weight ?? 0)} of ${region}${watched(rollout, phase.window)}.`
    case "baking":
      return `${what} has all of ${region} and is still watched: ${progressOf(phase.window)}.`
    case "holding":
      return `${what} holds at ${region}: ${phase.hold.because}.`
    case "aborting":
      return `${what} is being taken back at ${region}: ${phase.because}.`
    case "rolling-back":
      return `${what} is taken back at ${region}; its instances are drained.`
    case "succeeded":
      return `${what} succeeded at ${region}${rollout.startedAt === undefined ? "" : ` in ${spoken(phase.at - rollout.startedAt)}`}.`
    case "rolled-back":
      return `${what} was rolled back at ${region}: ${phase.because}.`
    case "failed":
      return `${what} failed at ${region} before any user met it: ${phase.because}.`
    case "rollback-failed":
      return `${what} could not be taken back at ${region}: ${phase.because}.`
    case "superseded":
      return `${what} stepped aside at ${region} for ${shortCommit(phase.by)}.`
    case "cancelled":
      return `${what} was cancelled at ${region}: ${phase.because}.`
    default:
      return unreachable(phase)
  }
}

/** The first release of a region has nothing to be compared with; where nothing is waited for, it goes on. */
const watched = (rollout: Rollout, window: Parameters<typeof progressOf>[0]): string =>
  window.needed === 0
    ? ""
    : rollout.from === undefined
      ? ` and is watched; nothing served there before: ${progressOf(window)}`
      : ` and is compared: ${progressOf(window)}`

const progressOf = (window: {
  readonly needed: number
  readonly observed: number
  readonly extensions: number
}): string =>
  `${spoken(Math.min(window.observed, window.needed * (1 + window.extensions)))} of ${spoken(window.needed * (1 + window.extensions))}`
