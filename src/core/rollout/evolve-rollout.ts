import type { Recorded } from "../pipeline/events.ts"
import { type Phase, type Rollout, regionPolicy, type Underway, type Window } from "./rollout.ts"

/** What is true of one rollout after an event about it. Total: an event that does not fit changes nothing. */
export function evolveRollout(rollout: Rollout, recorded: Recorded): Rollout {
  const { event, at, by } = recorded
  const phase = (next: Phase): Rollout => ({ ...rollout, phase: next })
  const ended = (next: Phase): Rollout => ({ ...rollout, phase: next, endedAt: at })
  switch (event.type) {
    case "gate-approved":
      return { ...rollout, approval: { by, reason: event.reason, at } }
    case "gate-rejected":
      return ended({ name: "cancelled", at, by, because: event.reason })
    case "gate-expired":
      return ended({ name: "cancelled", at, by, because: "nobody approved it in time" })
    case "rollout-superseded":
      return ended({ name: "superseded", at, by: event.supersededBy })
    case "contract-held":
      return { ...rollout, contractTold: event.because }
    case "room-lacking":
      return rollout.phase.name === "queued"
        ? phase({ ...rollout.phase, lacks: { of: event.of, because: event.because, since: at } })
        : rollout
    case "rollout-started":
      return { ...rollout, startedAt: at }
    case "provisioning-started":
      return phase({ name: "provisioning", step: event.step, since: at, deadline: event.deadline })
    case "verifying-started":
      return phase({ name: "verifying", step: event.step, since: at, tests: event.tests })
    case "test-passed":
      return during(rollout, (now) => tested(now, event.job, true))
    case "test-failed":
      return during(rollout, (now) => tested(now, event.job, false, event.because))
    case "mirroring-started":
      return phase({
        name: "mirroring",
        since: at,
        window: windowOf(regionPolicy(rollout).compare?.for ?? 0),
      })
    case "step-started":
      return {
        ...phase({
          name: "shifting",
          step: event.step,
          since: at,
          reachedAt: undefined,
          window: windowOf(regionPolicy(rollout).compare?.for ?? 0),
        }),
        hadTraffic: true,
      }
    case "step-reached":
      return during(rollout, (now) => (now.name === "shifting" ? { ...now, reachedAt: at } : now))
    case "looked":
      return during({ ...rollout, looks: event.look.number, lastLook: event.look }, (now) =>
        "window" in now ? { ...now, window: { ...now.window, observed: event.observed } } : now,
      )
    case "window-extended":
      return during(rollout, (now) =>
        "window" in now ? { ...now, window: { ...now.window, extensions: event.extensions } } : now,
      )
    case "held": {
      const now = underway(rollout.phase)
      return now ? phase({ name: "holding", since: at, during: now, hold: event.hold }) : rollout
    }
    case "hold-ended":
      return rollout.phase.name === "holding" ? phase(rollout.phase.during) : rollout
    case "bake-started":
      return phase({ name: "baking", since: at, window: windowOf(regionPolicy(rollout).bake) })
    case "abort-started":
      return {
        ...phase({ name: "aborting", since: at, because: event.because, to: event.to, then: event.then }),
        endedAt: undefined,
      }
    case "weight-returned":
      return rollout.phase.name === "aborting" ? phase({ ...rollout.phase, name: "rolling-back" }) : rollout
    case "rolled-back":
      return ended({ name: "rolled-back", at, because: reason(rollout) })
    case "rollout-failed":
      return ended({ name: "failed", at, because: reason(rollout) })
    case "rollout-cancelled":
      return ended({ name: "cancelled", at, by, because: event.because })
    case "rollback-failed":
      return ended({ name: "rollback-failed", at, because: event.because })
    case "rollout-succeeded":
      return ended({ name: "succeeded", at })
    case "instance-crashed":
      return event.lost ? rollout : { ...rollout, crashes: rollout.crashes + 1 }
    default:
      return rollout
  }
}

const windowOf = (needed: number): Window => ({ needed, observed: 0, extensions: 0 })

/** The phase that makes progress: itself, or the one a hold interrupts. */
export function underway(phase: Phase): Underway | undefined {
  switch (phase.name) {
    case "provisioning":
    case "verifying":
    case "mirroring":
    case "shifting":
    case "baking":
      return phase
    case "holding":
      return phase.during
    default:
      return undefined
  }
}

function during(rollout: Rollout, change: (now: Underway) => Underway): Rollout {
  const { phase } = rollout
  if (phase.name === "holding") return { ...rollout, phase: { ...phase, during: change(phase.during) } }
  const now = underway(phase)
  return now ? { ...rollout, phase: change(now) } : rollout
}

function tested(now: Underway, job: string, passed: boolean, because?: string): Underway {
  if (now.name !== "verifying") return now
  const ended = { passed, ...(because === undefined ? {} : { because }) }
  return { ...now, tests: now.tests.map((test) => (test.job === job ? { ...test, ...ended } : test)) }
}

const reason = (rollout: Rollout): string => ("because" in rollout.phase ? rollout.phase.because : "")
