import type { ConfigChange } from "../../core/model/configuration.ts"
import { shortCommit } from "../../core/model/ids.ts"
import { unreachable } from "../../core/model/unreachable.ts"
import type { Event } from "../../core/pipeline/events.ts"
import type { Phase } from "../../core/rollout/rollout.ts"
import type { Tone } from "../contract/views.ts"

export const percent = (share: number): string => `${Math.round(share * 1_000) / 10} %`

/** 64_000 → `1 min 4 s`. */
export function spoken(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1_000))
  if (s < 60) return ms < 10_000 && ms % 1_000 !== 0 ? `${Math.round(ms / 100) / 10} s` : `${s} s`
  if (s < 3_600) return s % 60 === 0 ? `${s / 60} min` : `${Math.floor(s / 60)} min ${s % 60} s`
  return `${Math.floor(s / 3_600)} h ${Math.floor((s % 3_600) / 60)} min`
}

export function toneOf(phase: Phase): Tone {
  switch (phase.name) {
    case "succeeded":
      return "ok"
    case "rolled-back":
    case "failed":
    case "rollback-failed":
    case "aborting":
    case "rolling-back":
      return "bad"
    case "queued":
      return phase.gate || phase.lacks ? "wait" : "busy"
    case "holding":
      return phase.hold.why === "halted" ? "bad" : "wait"
    case "superseded":
    case "cancelled":
      return "none"
    default:
      return "busy"
  }
}

/** An event as a line of a timeline. */
export function titleOf(event: Event): string {
  switch (event.type) {
    case "app-added":
      return `Application added from ${event.source.url}`
    case "app-removed":
      return "Application removed: its routes go, and what it runs is ended"
    case "app-cleared":
      return "Nothing of it runs any more"
    case "override-granted":
      return `Locks and freezes${event.region === undefined ? "" : ` of ${event.region}`} stand aside until ${new Date(event.until).toISOString()}: ${event.reason}`
    case "app-paused":
      return "Paused"
    case "servers-ahead":
      return `Its servers are ahead of this journal: ${event.seen.join(", ")}`
    case "app-resumed":
      return "Resumed"
    case "commit-found":
      return `Commit ${shortCommit(event.commit)} "${event.subject}"`
    case "commit-refused":
      return `Commit ${shortCommit(event.commit)} refused: ${event.problems[0] ?? ""}`
    case "commit-superseded":
      return `Commit ${shortCommit(event.commit)} steps aside for ${shortCommit(event.supersededBy)}`
    case "commit-chosen":
      return `Commit ${shortCommit(event.commit)} chosen`
    case "build-started":
      return `Build of ${shortCommit(event.commit)} started`
    case "build-succeeded":
      return `Built ${shortCommit(event.commit)} as ${event.digest.slice(0, 19)}`
    case "build-failed":
      return `Build of ${shortCommit(event.commit)} failed`
    case "configuration-changed":
      return `Configuration ${event.version}: ${event.changes.map(toldChange).join(", ")}`
    case "rollout-queued":
      return event.gate ? `Waits for approval at ${event.region}` : `Queued for ${event.region}`
    case "contract-held":
      return `Contract step waits: ${event.because}`
    case "pools-released":
      return `Old pools at ${event.region} are no longer kept`
    case "gate-approved":
      return "Approved"
    case "gate-rejected":
      return "Rejected"
    case "gate-expired":
      return "Nobody approved it in time"
    case "rollout-superseded":
      return `Superseded by ${shortCommit(event.supersededBy)}`
    case "room-lacking":
      return "Waits for room"
    case "rollout-started":
      return "Rollout started"
    case "provisioning-started":
      return `Fresh instances for step ${event.step + 1}`
    case "verifying-started":
      return event.tests.length > 0 ? "Tests started" : "No tests to run"
    case "test-passed":
      return "Test passed"
    case "test-failed":
      return `Test failed: ${event.because}`
    case "mirroring-started":
      return `Compares on read-only requests copied from ${event.from}`
    case "mirroring-skipped":
      return `No mirroring: ${event.because}`
    case "step-started":
      return `Shifts to ${percent(event.weight)}`
    case "step-reached":
      return "The router acknowledged the weight"
    case "looked":
      return `Look ${event.look.number}: ${event.look.verdicts.map((v) => `${v.metric} ${v.kind}`).join(", ") || "nothing to compare"}`
    case "window-extended":
      return "Not enough evidence: watches longer"
    case "held":
      return event.hold.why === "halted" ? "Halted" : `Holds: ${event.hold.why}`
    case "hold-ended":
      return "Goes on"
    case "bake-started":
      return "100 % observed, still watched"
    case "rollout-succeeded":
      return "Succeeded"
    case "abort-started":
      return event.then === "rolled-back" ? "Rolls back" : "Stops"
    case "weight-returned":
      return "All traffic is on the old release"
    case "rolled-back":
      return "Rolled back"
    case "rollout-failed":
      return "Failed before any user met it"
    case "rollout-cancelled":
      return "Cancelled"
    case "rollback-failed":
      return "The rollback failed"
    case "locked":
      return "Locked: nothing new may start"
    case "unlocked":
      return "Unlocked"
    case "quarantined":
      return `${shortCommit(event.release)} is blocked`
    case "answers-accepted":
      return `Changed answers accepted: ${event.paths.join(", ")}`
    case "answers-withdrawn":
      return `No longer accepted: ${event.paths.join(", ")}`
    case "quarantine-lifted":
      return `${shortCommit(event.release)} may be tried again`
    case "server-left":
      if (event.lost !== undefined) return `Server ${event.server} does not answer`
      return event.drained === undefined
        ? `Server ${event.server} is in use`
        : `Server ${event.server} is drained`
    case "instance-requested":
      return `Instance ${event.instance} asked for`
    case "instance-ready":
      return `Instance ${event.instance} is healthy`
    case "instance-unready":
      return `Instance ${event.instance} fails its probe`
    case "instance-crashed":
      return `Instance ${event.instance} crashed`
    case "instance-modified":
      return modifiedInWords(event)
    case "instance-condemned":
      return `Instance ${event.instance} will be replaced`
    case "instance-retired":
      return `Instance ${event.instance} leaves`
    case "instance-released":
      return `Instance ${event.instance} released by the router`
    case "instance-stopped":
      return `Instance ${event.instance} ended`
    case "drill-started":
      return `Drill ${event.drill}: ${event.region} is rebuilt beside itself`
    case "drill-ready":
      return `Drill ${event.drill}: rebuilt`
    case "drill-test-ended":
      return `Drill ${event.drill}: test ${event.passed ? "passed" : "failed"}`
    case "drill-ended":
      return `Drill ${event.result.number} of ${event.result.region} ${event.result.kind === "gave-way" ? "gave way" : event.result.kind}`
    case "drill-cleared":
      return `Drill ${event.drill}: everything is gone again`
    case "failure-planned":
      return event.kind === "age"
        ? `Instance ${event.instance} is too old and is replaced`
        : `Planned failure: instance ${event.instance} is ended`
    case "failure-passed":
      return event.full
        ? `Full strength at ${event.region} again after ${spoken(event.tookMs)}`
        : `The planned failure at ${event.region} tells nothing: another release came`
    case "strength-missing":
      return `Not at full strength after a planned failure: ${event.ready} of ${event.size} at ${event.region}`
    case "weights-observed":
      return `Weights at ${event.region}: ${
        Object.entries(event.weights)
          .map(([pool, weight]) => `r${pool} ${weight} %`)
          .join(", ") || "none"
      }`
    default:
      return unreachable(event)
  }
}

/** A change of the configuration in a few words; a secret's value is never among them. */
export function toldChange({ key, region, value }: ConfigChange): string {
  const where = region === undefined ? "" : ` at ${region}`
  if (value === undefined) return `${key} removed${where}`
  return "plain" in value ? `${key}=${shortened(value.plain)}${where}` : `${key} is a new secret${where}`
}

const longestShown = 60
const shortened = (text: string): string =>
  text.length > longestShown ? `${text.slice(0, longestShown)}…` : text

function modifiedInWords(event: Extract<Event, { type: "instance-modified" }>): string {
  const found = event.differences.map(({ path, what }) => `${path} ${what}`).join(", ")
  return event.differences.every(({ what }) => what === "written")
    ? `Instance ${event.instance} keeps state outside of its own folder: ${found}`
    : `Instance ${event.instance} was modified${event.stays ? " and stays" : ""}: ${found}`
}
