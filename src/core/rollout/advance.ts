import { unreachable } from "../model/unreachable.ts"
import type { Region } from "../pipeline/application.ts"
import type { Draft } from "../pipeline/draft.ts"
import { blockerOf } from "../pipeline/guards.ts"
import { holdForRoom, refusedIn } from "../pipeline/room.ts"
import { isLeft, isLost, waitsForItsServer } from "../pipeline/servers.ts"
import { stand } from "./hold.ts"
import { retreat } from "./retreat.ts"
import { type Rollout, regionPolicy, type TestRun, type Underway } from "./rollout.ts"
import { instancesFor } from "./schedule.ts"
import { targetWeights } from "./traffic.ts"

/** Crashes before any health that make an attempt hopeless. */
const crashesBeforeHealthy = 3

/** Moves a rollout as far as its own facts allow. Applied until nothing follows. */
export function progress(draft: Draft, rollout: Rollout, region: Region): void {
  const { phase } = rollout
  switch (phase.name) {
    case "provisioning":
      return provision(draft, rollout, region, phase)
    case "verifying":
      return verify(draft, rollout, phase)
    case "shifting":
      return shift(draft, rollout, region, phase)
    case "baking":
      if (phase.window.needed === 0) succeed(draft, rollout, "all traffic, nothing to wait for")
      return
    case "holding":
      if (phase.hold.why === "no-room") return roomAgain(draft, rollout, region, phase.during)
      return standing(draft, rollout, phase.hold.until)
    case "aborting":
      return comeBack(draft, rollout, region)
    case "rolling-back":
      return finishReturn(draft, rollout, region)
    default:
      return
  }
}

/** The next step after a step that was judged well, or success after the bake. */
export function goOn(draft: Draft, rollout: Rollout): void {
  const { phase } = rollout
  switch (phase.name) {
    case "mirroring":
      return startStep(draft, rollout, 0)
    case "shifting":
      if (phase.reachedAt !== undefined) startProvisioning(draft, rollout, phase.step + 1)
      return
    case "baking":
      return succeed(draft, rollout, "watched long enough at 100 %")
    default:
      return
  }
}

/** Only what serves everybody has succeeded: instances that fail just now may have given the traffic back. */
function succeed(draft: Draft, rollout: Rollout, because: string): void {
  const region = draft.region(rollout.region)
  const observed = region?.weights[rollout.number] ?? 0
  const asked = region ? (targetWeights(draft.state, region)[rollout.number] ?? 0) : 0
  if (Math.min(observed, asked) < 99.99 || !region || !agreed(region)) return
  draft.conclude({ type: "rollout-succeeded", rollout: rollout.number }, because)
}

/** Whether all routers of the region say the same: then its weights sum to 100. */
const agreed = (region: Region): boolean =>
  Object.values(region.weights).reduce((sum, weight) => sum + weight, 0) < 100.01

export function startProvisioning(draft: Draft, rollout: Rollout, step: number): void {
  const { deadline } = regionPolicy(rollout)
  draft.conclude(
    { type: "provisioning-started", rollout: rollout.number, step, deadline: draft.at + deadline },
    `step ${step + 1} of ${rollout.schedule.length}`,
  )
}

const live = (rollout: Rollout, region: Region) =>
  Object.values(region.instances).filter((instance) => instance.pool === rollout.number && !instance.retired)

/** Known to be well: one on a server that does not answer may be anything. */
const knownReady = (draft: Draft, rollout: Rollout, region: Region) =>
  live(rollout, region).filter(
    (instance) => instance.state === "ready" && !isLost(draft.state, instance.server),
  )

function provision(
  draft: Draft,
  rollout: Rollout,
  region: Region,
  phase: Extract<Underway, { name: "provisioning" }>,
): void {
  const step = rollout.schedule[phase.step]
  if (!step) return
  const needed = instancesFor(step, regionPolicy(rollout).size)
  const ready = knownReady(draft, rollout, region)
  if (ready.length >= needed) {
    const fresh = ready.some((instance) => instance.step === phase.step)
    return fresh ? startVerifying(draft, rollout, phase.step) : startStep(draft, rollout, phase.step)
  }
  const noRoom = holdForRoom(draft, region, rollout.number)
  if (noRoom) return stand(draft, rollout, noRoom)
  if (!rollout.hadTraffic && rollout.crashes >= crashesBeforeHealthy) {
    const because = `its instances crashed ${rollout.crashes} times before they were healthy`
    return retreat(draft, rollout, { because, automatic: true, judged: false })
  }
  if (draft.at >= phase.deadline) {
    const unknown = live(rollout, region).filter((instance) => isLost(draft.state, instance.server))
    const nowhere = regionPolicy(rollout).servers.every((server) => isLeft(draft.state, server))
    // A lost server is not the release's fault: it is given its time again.
    if (nowhere || (unknown.length > 0 && ready.length + unknown.length >= needed))
      return startProvisioning(draft, rollout, phase.step)
    const because = `${ready.length} of ${needed} instances were healthy before the deadline`
    retreat(draft, rollout, { because, automatic: true, judged: rollout.hadTraffic })
  }
}

/** What could not be started is started now, and given all of its time. */
function roomAgain(draft: Draft, rollout: Rollout, region: Region, during: Underway): void {
  if (!draft.limits.room || refusedIn(draft, region, rollout.number) !== undefined) return
  const because = "there is room again"
  draft.conclude({ type: "hold-ended", rollout: rollout.number, because }, because)
  if (during.name === "provisioning") startProvisioning(draft, rollout, during.step)
}

function startVerifying(draft: Draft, rollout: Rollout, step: number): void {
  const tests = regionPolicy(rollout).tests.map(
    (name): TestRun => ({
      name,
      job: `${rollout.policy.app}-test-r${rollout.number}-s${step}-${name}`,
      passed: undefined,
    }),
  )
  draft.conclude(
    { type: "verifying-started", rollout: rollout.number, step, tests },
    tests.length > 0 ? `${tests.length} to run before any traffic` : "no tests are declared",
  )
}

function verify(draft: Draft, rollout: Rollout, phase: Extract<Underway, { name: "verifying" }>): void {
  const failed = phase.tests.find((test) => test.passed === false)
  if (failed) {
    const because = failed.because ?? `test ${failed.name} failed`
    return retreat(draft, rollout, { because, automatic: true, judged: rollout.hadTraffic })
  }
  if (!rollout.hadTraffic && rollout.crashes >= crashesBeforeHealthy) {
    const because = `its instances crashed ${rollout.crashes} times while it was tested`
    return retreat(draft, rollout, { because, automatic: true, judged: false })
  }
  if (phase.tests.some((test) => test.passed === undefined)) return
  const { mirror } = regionPolicy(rollout)
  if (phase.step > 0 || !mirror) return startStep(draft, rollout, phase.step)
  if (draft.region(mirror.from)?.stable === undefined) {
    // Said once, when the step that follows may begin.
    if (blockerOf(draft.state, rollout, draft.at)) return
    draft.conclude(
      { type: "mirroring-skipped", rollout: rollout.number, because: `${mirror.from} serves nothing yet` },
      "there is no traffic to copy",
    )
    return startStep(draft, rollout, 0)
  }
  draft.conclude(
    { type: "mirroring-started", rollout: rollout.number, from: mirror.from },
    `read-only requests of ${mirror.from} are copied`,
  )
}

/** Raises the weight, unless something stands in the way; then it waits where it is. */
function startStep(draft: Draft, rollout: Rollout, index: number): void {
  const step = rollout.schedule[index]
  if (!step || blockerOf(draft.state, rollout, draft.at)) return
  draft.conclude(
    { type: "step-started", rollout: rollout.number, step: index, weight: step.weight },
    `step ${index + 1} of ${rollout.schedule.length}: ${Math.round(step.weight * 100)} % of the traffic`,
  )
}

function shift(
  draft: Draft,
  rollout: Rollout,
  region: Region,
  phase: Extract<Underway, { name: "shifting" }>,
): void {
  const step = rollout.schedule[phase.step]
  if (!step) return
  if (phase.reachedAt === undefined) {
    const full = knownReady(draft, rollout, region).length
    const target = targetWeights(draft.state, region)[rollout.number] ?? 0
    const enough = full >= instancesFor(step, regionPolicy(rollout).size)
    const there = Math.abs((region.weights[rollout.number] ?? 0) - target) < 0.01 && agreed(region)
    if (enough && target > 0 && there && draft.sawRouter) {
      draft.conclude(
        { type: "step-reached", rollout: rollout.number, step: phase.step },
        "the router acknowledged the weight",
      )
    }
    return
  }
  if (phase.step === rollout.schedule.length - 1) {
    draft.conclude(
      { type: "bake-started", rollout: rollout.number },
      "100 % observed; still watched, the old pool kept",
    )
    return
  }
  const policy = regionPolicy(rollout)
  const judged = step.analysis && policy.compare !== undefined && rollout.from !== undefined
  if (judged || draft.at < phase.reachedAt + policy.pause) return
  if (!blockerOf(draft.state, rollout, draft.at)) goOn(draft, rollout)
}

/** A blind rollout does not keep users on what nobody can watch for ever. */
function standing(draft: Draft, rollout: Rollout, until: number | undefined): void {
  if (rollout.phase.name !== "holding" || until === undefined || draft.at < until) return
  const { hold } = rollout.phase
  if (hold.why !== "blind") {
    draft.conclude(
      { type: "hold-ended", rollout: rollout.number, because: "its time is over" },
      "its time is over",
    )
    return
  }
  draft.conclude(
    { type: "hold-ended", rollout: rollout.number, because: "blind for too long" },
    "blind for too long",
  )
  draft.conclude(
    {
      type: "held",
      rollout: rollout.number,
      hold: {
        ...hold,
        because:
          "blind for too long: its traffic went back to the old pool; nothing is locked, nothing is blamed",
        until: undefined,
        then: "a person resumes it when the monitoring is back",
        weight: rollout.from === undefined ? "frozen" : "zero",
      },
    },
    "a canary must not serve unwatched",
  )
}

function comeBack(draft: Draft, rollout: Rollout, region: Region): void {
  if (rollout.phase.name !== "aborting") return
  if ((region.weights[rollout.number] ?? 0) === 0) {
    if (!draft.sawRouter) return
    draft.conclude({ type: "weight-returned", rollout: rollout.number }, "the router acknowledged weight 0")
    return
  }
  if (draft.at < rollout.phase.since + regionPolicy(rollout).deadline) return
  const because =
    "the old pool could not take the traffic back before the deadline; the weights stay where they are"
  draft.conclude({ type: "rollback-failed", rollout: rollout.number, because }, because)
}

function finishReturn(draft: Draft, rollout: Rollout, region: Region): void {
  const { phase } = rollout
  if (phase.name !== "rolling-back") return
  const left = Object.values(region.instances).filter((instance) => instance.pool === rollout.number)
  for (const instance of left) {
    if (instance.retired) continue
    draft.conclude(
      { type: "instance-retired", region: region.name, instance: instance.id, because: phase.because },
      phase.because,
    )
  }
  // What only waits for a lost server is refused by the router for ever; others need not wait for it.
  if (left.some((instance) => !waitsForItsServer(draft.state, instance))) return
  switch (phase.then) {
    case "rolled-back":
      draft.conclude({ type: "rolled-back", rollout: rollout.number }, phase.because)
      return
    case "failed":
      draft.conclude({ type: "rollout-failed", rollout: rollout.number }, phase.because)
      return
    case "cancelled":
      draft.conclude(
        { type: "rollout-cancelled", rollout: rollout.number, because: phase.because },
        phase.because,
      )
      return
    default:
      return unreachable(phase.then)
  }
}
