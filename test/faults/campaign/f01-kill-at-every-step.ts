import { RecoveryWatch } from "./stage/recovery-watch.ts"
import { type Fault, Findings, type Result, type Scale } from "./stage/result.ts"
import { type Trial, withTrial } from "./stage/trial.ts"

const orders = [
  "fence",
  "setRoutes",
  "putSource",
  "runJob",
  "startInstance",
  "releaseInstance",
  "stopInstance",
] as const

/** A busy machine takes seconds for each of a hundred lives. */
const patience = 30 * 60_000

/** Right after one append and right before the next, in turn: each persisted step is hit on both sides. */
const aroundAppends = (start: number): string => (start % 2 === 0 ? "after-append" : "before-append")

/** Right before and right after each kind of order to an agent. */
const aroundOrders = (start: number): string | undefined => {
  const order = orders[Math.floor(start / 2) % orders.length]
  return start < 2 * orders.length ? `${start % 2 === 0 ? "before" : "after"}-${order}` : undefined
}

/**
 * F1: kill -9 of the control plane at every persisted step of a good and of a bad rollout, and around every order to
 * the agent. One pass kills at each step twice, so ten passes are twenty kills a step.
 */
export async function killAtEveryStep(
  scale: Scale,
  passes: { readonly appends: number; readonly orders: number },
): Promise<Result> {
  const findings = new Findings()
  const kills: number[] = []
  const steps: number[] = []
  for (let pass = 0; pass < passes.appends; pass++) {
    scale.say(`F1 pass ${pass + 1} of ${passes.appends}: around every append`)
    await onePass(findings, scale, aroundAppends, kills, steps)
    scale.say(`F1 so far: ${soFar(findings, kills)}`)
  }
  const before = kills.length
  for (let pass = 0; pass < passes.orders; pass++) {
    scale.say(`F1 pass ${pass + 1} of ${passes.orders}: around every order to the agent`)
    await onePass(findings, scale, aroundOrders, kills, [])
    scale.say(`F1 so far: ${soFar(findings, kills)}`)
  }
  const killsAtOrders = kills.slice(before).reduce((sum, one) => sum + one, 0)
  findings.figures.killsAroundAppends = kills.slice(0, before).reduce((sum, one) => sum + one, 0)
  findings.figures.killsAroundOrders = killsAtOrders
  findings.figures.persistedSteps = steps.length > 0 ? Math.min(...steps) : 0
  findings.figures.killsAtEachStep = 2 * passes.appends
  findings.figures.rate = scale.rate
  return findings.result()
}

async function onePass(
  findings: Findings,
  scale: Scale,
  failpoint: (start: number) => string | undefined,
  kills: number[],
  steps: number[],
): Promise<void> {
  await withTrial(findings, scale, {}, async (trial) => {
    const { cluster } = trial
    // An order of the clerk ends the life that takes it: too many, and no life is left for the rollout's own steps.
    await trial.begin({ clerkEveryMs: 15_000 })
    const before = await cluster.app()
    const first = cluster.plane.starts
    cluster.serve((start) => failpoint(start - first))
    const watch = new RecoveryWatch(trial, cluster.plane)
    cluster.kill()
    try {
      await cluster.climb(cluster.commit("good", "none"), "succeeded", cluster.plane, patience)
      await cluster.climb(cluster.commit("bad", "errors"), "rolled-back", cluster.plane, patience)
    } finally {
      cluster.serve()
      await watch.stop()
      // One of these deaths was ours.
      kills.push(cluster.plane.starts - first - 1)
    }
    const after = await cluster.quiet()
    steps.push(after.version - before.version)
    findings.expect(after.locks.length === 1, `${after.locks.length} locks after one rollback`)
    expectWholeTimeline(trial, findings)
    await trial.looksForStrays()
  })
}

/** For whoever watches for an hour, or has to stop before the end. */
function soFar(findings: Findings, kills: readonly number[]): string {
  const { failedRequests, lostEvents, leaks, recoveryMs, broken } = findings.result()
  const all = kills.reduce((sum, one) => sum + one, 0)
  const times = `${recoveryMs.p50} ms, p99 ${recoveryMs.p99} ms`
  const bad = broken.length > 0 ? `; ${broken.join(" | ")}` : ""
  return `${all} kills, ${failedRequests} failed, ${lostEvents} lost, ${leaks} leaked, recovery p50 ${times}${bad}`
}

function expectWholeTimeline(trial: Trial, findings: Findings): void {
  const versions = trial
    .booked()
    .filter(({ stream }) => stream === "papi")
    .map(({ version }) => version)
  findings.expect(
    versions.every((version, at) => version === at + 1),
    "the versions of the journal are not contiguous",
  )
}

export const f01: Fault = {
  id: "F1",
  title: "kill -9 of the control plane at every persisted step and around every order",
  run: (scale) =>
    killAtEveryStep(scale, { appends: scale.runs ?? (scale.quick ? 1 : 10), orders: scale.quick ? 1 : 2 }),
}
