import { shortCommit } from "../core/model/ids.ts"
import type { NotifyPolicy } from "../core/model/policy.ts"
import type { Application } from "../core/pipeline/application.ts"
import type { Event, Recorded } from "../core/pipeline/events.ts"
import type { Notice } from "../ports/notifier.ts"

type Topic = NotifyPolicy["on"][number]

/** What people outside are told of events; stored with them, delivered at least once. */
export function noticesFor(app: Application, events: readonly Recorded[]): readonly Notice[] {
  const targets = newestPolicy(app)
  if (targets.length === 0) return []
  return events.flatMap((recorded, i) => {
    const topic = topicOf(recorded.event)
    if (!topic) return []
    const text = `${app.app}: ${sentenceOf(app, recorded)}`
    return targets
      .filter((target) => target.on.includes(topic))
      .map((target) => ({
        to: target.webhook,
        id: `${app.app}-${recorded.at}-${i}-${recorded.event.type}`,
        at: recorded.at,
        app: app.app,
        type: recorded.event.type,
        text,
        data: recorded.event,
      }))
  })
}

function newestPolicy(app: Application): readonly NotifyPolicy[] {
  const newest = Object.values(app.releases).sort((a, b) => b.order - a.order)[0]
  return newest?.policy.notify ?? []
}

function topicOf(event: Event): Topic | undefined {
  switch (event.type) {
    case "rollout-queued":
      return event.gate ? "gate" : undefined
    case "held":
      return event.hold.why === "halted" ? "halt" : "hold"
    case "abort-started":
      return "rollback"
    case "drill-ended":
      return event.result.kind === "failed" ? "hold" : undefined
    case "servers-ahead":
    case "contract-held":
    case "strength-missing":
    case "room-lacking":
      return "hold"
    case "rollback-failed":
      return "rollback"
    case "locked":
      return "lock"
    case "app-removed":
      return "removal"
    case "rollout-succeeded":
      return "success"
    default:
      return undefined
  }
}

function sentenceOf(app: Application, recorded: Recorded): string {
  const { event } = recorded
  if (event.type === "app-removed") return `app removed by ${recorded.by}: ${recorded.because}`
  if (!("rollout" in event) || event.rollout === undefined) return `${event.type}: ${recorded.because}`
  const rollout = app.rollouts[event.rollout]
  const where = rollout ? `${shortCommit(rollout.release)} at ${rollout.region}` : `rollout ${event.rollout}`
  return `${event.type.replaceAll("-", " ")}: ${where}: ${recorded.because}`
}
