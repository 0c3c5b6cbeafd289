import type { Application } from "../src/core/pipeline/application.ts"
import type { Command } from "../src/core/pipeline/input.ts"
import { isGone } from "../src/core/pipeline/remove.ts"
import { type Rollout, terminal } from "../src/core/rollout/rollout.ts"
import type { Cluster } from "./cluster.ts"
import type { OperatorOrder } from "./scenario.ts"
import { author } from "./source.ts"

/** A person waits so long for an answer, and then tries again with the same id, at another door. */
const patience = 10_000
const tries = 4

/**
 * Gives an order at some control plane, or always at the same one; an answer that never comes is asked for again.
 */
export function submit(
  cluster: Cluster,
  app: string,
  command: Command,
  by: string,
  id: string,
  door: number | undefined = undefined,
  attempt = 0,
): void {
  cluster.asking.add(id)
  const doors = cluster.planes.filter(({ up }) => up)
  const plane = doors[(door ?? attempt) % Math.max(1, doors.length)]
  let answered = false
  const again = (): void => {
    if (attempt + 1 >= tries) cluster.asking.delete(id)
    if (answered || attempt + 1 >= tries) return
    answered = true
    submit(cluster, app, command, by, id, door, attempt + 1)
  }
  const retry = (): boolean => {
    again()
    return true
  }
  const { life } = plane ?? { life: 0 }
  plane?.deliver(life, () => {
    plane.engine?.submit(app, command, by, id).then(
      (result) => {
        if (result.kind === "not-leader") cluster.timeline.in(1_000, retry)
        else {
          answered = true
          cluster.asking.delete(id)
          cluster.check.answered(app, id, command, result)
        }
      },
      () => cluster.timeline.in(1_000, retry),
    )
    return true
  })
  cluster.timeline.in(patience, () => (answered ? false : retry()))
}

/** What people do at moments that are bad for everyone. */
export function operate(cluster: Cluster, order: OperatorOrder, pick: number): void {
  const apps = cluster.scenario.apps
  const app = apps[pick % apps.length]?.name ?? ""
  const state = cluster.check.log.state(app)
  const command = state && commandFor(order, state, pick)
  if (!command) return
  const by = order === "approve-as-author" ? author : "Mira"
  submit(cluster, app, command, by, `op-${cluster.timeline.now}-${order}-${pick}`)
}

function commandFor(order: OperatorOrder, state: Application, pick: number): Command | undefined {
  const rollouts = Object.values(state.rollouts)
  const running = rollouts.filter(({ phase }) => !terminal(phase))
  const some = (of: readonly Rollout[]): number | undefined => of[pick % Math.max(1, of.length)]?.number
  const rollout = some(running) ?? some(rollouts)
  const reason = "because I say so"
  if (rollout === undefined) return undefined
  switch (order) {
    case "halt":
    case "rollback":
      return { type: order, rollout, reason }
    case "retry":
      return { type: "retry", rollout: rollouts.at(-1)?.number ?? rollout, reason }
    case "lock":
      return { type: "lock", region: undefined, reason }
    case "unlock":
      return { type: "unlock", lock: state.locks[0]?.id ?? 0, reason, preventive: "a test" }
    case "pause":
      return { type: "pause", reason }
    case "resume":
      return { type: "resume", rollout: state.paused ? undefined : rollout, reason }
    case "approve-stale":
      return { type: "approve", rollout, reason, bound: { digest: "sha256:another", evidence: "old" } }
    case "approve-old-evidence":
      return { type: "approve", rollout, reason, bound: { evidence: "old" } }
    case "approve-as-author":
      return { type: "approve", rollout, reason, bound: {} }
    case "deploy":
      return { type: "deploy", commit: state.commits[pick % Math.max(1, state.commits.length)]?.id, reason }
    case "remove":
      return { type: "remove-app", reason }
    case "replace-instance": {
      const ids = state.regions.flatMap((region) => Object.keys(region.instances))
      const instance = ids[pick % Math.max(1, ids.length)]
      return instance ? { type: "replace-instance", instance, reason } : undefined
    }
  }
}

/** The people on duty: they approve what waits for them and, once all is calm, clean up what was left. */
export function beOnDuty(cluster: Cluster): void {
  let round = 0
  const look = (): boolean => {
    round++
    for (const { name } of cluster.scenario.apps) {
      const state = cluster.check.log.state(name)
      if (state) attend(cluster, state, round)
      else if (isCalm(cluster)) addAnew(cluster, name, round)
    }
    cluster.timeline.in(3_000, look)
    return true
  }
  cluster.timeline.in(3_000, look)
}

const isCalm = ({ scenario, timeline }: Cluster): boolean => timeline.now > scenario.calmFrom + 5_000

/** Whoever wanted it in the first place gave up while nothing answered. */
const addAnew = (cluster: Cluster, app: string, round: number): void =>
  submit(cluster, app, { type: "add-app", source: { url: app, branch: "main" } }, "Mira", `duty-${round}-add`)

function attend(cluster: Cluster, state: Application, round: number): void {
  const give = (command: Command, label: string): void =>
    submit(cluster, state.app, command, "Mira", `duty-${round}-${label}`, cluster.planes.length - 1)
  const calm = isCalm(cluster)
  const reason = "looked at it"
  if (calm && isGone(state))
    give({ type: "add-app", source: { url: state.app, branch: "main" } }, "add-again")
  if (calm && state.paused) give({ type: "resume", rollout: undefined, reason }, "resume-app")
  for (const lock of calm ? state.locks : [])
    give({ type: "unlock", lock: lock.id, reason, preventive: "a test" }, `unlock-${lock.id}`)
  for (const rollout of Object.values(state.rollouts)) {
    const { phase, number } = rollout
    if (phase.name === "queued" && phase.gate && !rollout.approval) {
      const digest = state.releases[rollout.release]?.digest
      give({ type: "approve", rollout: number, reason, bound: { digest } }, `approve-${number}`)
    }
    if (!calm || phase.name !== "holding") continue
    const { hold } = phase
    // What is good is carried on, what was accused is taken back; what cannot be taken back is let go.
    const good = cluster.source.natureOf(rollout.release) === "good"
    const nowhere = rollout.from === undefined || round % 2 === 0
    if (hold.proposal && (good || nowhere))
      give({ type: "approve", rollout: number, reason, bound: {} }, `apply-${number}`)
    else if (good || isOldGone(state, rollout))
      give({ type: "resume", rollout: number, reason }, `resume-${number}`)
    else give({ type: "rollback", rollout: number, reason }, `rollback-${number}`)
  }
}

/** What it came after was condemned meanwhile. */
function isOldGone(state: Application, { from }: Rollout): boolean {
  const old = from === undefined ? undefined : state.rollouts[from]
  return old !== undefined && state.quarantine[old.release] !== undefined
}
