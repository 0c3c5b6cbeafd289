import { terminal } from "../rollout/rollout.ts"
import { whyBehind } from "./ahead.ts"
import type { Application } from "./application.ts"
import { type Draft, type Refusal, refuse } from "./draft.ts"
import { rehearse } from "./drill.ts"
import { giveWay } from "./give-way.ts"
import { keepInstances } from "./instances.ts"
import { placesOf } from "./places.ts"
import { waitsForItsServer } from "./servers.ts"

/**
 * Ends an application: its routes go, its instances are let go of and ended as any other, and nothing of it is built
 * or started any more. What waits or holds is cancelled with it; what moves by itself has to end first.
 */
export function removeApp(draft: Draft, reason: string): Refusal | undefined {
  const because = whyNotRemoved(draft.state, draft.limits.killed)
  if (because !== undefined) return refuse("wrong-phase", because)
  for (const { active } of draft.state.regions)
    if (active !== undefined)
      draft.add(
        { type: "rollout-cancelled", rollout: active, because: "its application is removed" },
        "its application is removed",
      )
  giveWay(draft, "its application is removed")
  draft.add({ type: "app-removed", reason }, reason)
  return undefined
}

/**
 * Why it cannot be removed now, in a sentence that says what to do; undefined when it can. `killed`: that the kill
 * switch is set, where it is.
 */
export function whyNotRemoved(app: Application, killed: string | undefined): string | undefined {
  if (app.ahead) return `${whyBehind(app.ahead)}; resume ${app.app} first, with a reason`
  for (const { active } of app.regions) {
    const rollout = active === undefined ? undefined : app.rollouts[active]
    if (!rollout || terminal(rollout.phase)) continue
    const { phase, number, region } = rollout
    if (phase.name === "queued" || phase.name === "holding") continue
    const isLeaving = phase.name === "aborting" || phase.name === "rolling-back"
    const first = isLeaving ? "let it end" : `let it end, or halt it (immunity halt ${app.app}#${number})`
    return `rollout ${number} is under way at ${region} (${phase.name}): ${first}, and then remove ${app.app}`
  }
  if (killed !== undefined)
    return `${killed}, so nothing of ${app.app} would be ended; lift it first (immunity kill-switch lift --reason WHY)`
  return undefined
}

/** Why it cannot be added again while it is being ended. */
export function notYetGone(app: Application): Refusal | undefined {
  if (app.removed === undefined || isGone(app)) return undefined
  const wait = `wait until it is gone: immunity app remove ${app.app} --reason WHY`
  return refuse("wrong-phase", `${refusedAsRemoved(app)?.message}; ${wait}`)
}

/** Removed, and nothing of it runs any more, as far as is known. */
export const isGone = ({ ahead, removed }: Application): boolean => !ahead && removed?.clearedAt !== undefined

/** An order to an application that is no more, other than to add it again. */
export function refusedAsRemoved({ app, removed, ...state }: Application): Refusal | undefined {
  if (!removed) return undefined
  const { by, reason, clearedAt } = removed
  const left = placesOf({ app, ...state }).reduce((n, place) => n + Object.keys(place.instances).length, 0)
  return clearedAt === undefined
    ? refuse(
        "removed",
        `${app} is being removed by ${by} (${reason}); ${left} of its instances are not gone yet`,
      )
    : refuse("removed", `${app} was removed by ${by}: ${reason}. ${addAgain(app)}`)
}

/** What to do with a name that is free again. */
export const addAgain = (app: string): string => `Add it again with: immunity app add URL --name ${app}`

/** All that is still done for it: whatever it runs leaves by the usual handshake, and then it is gone. */
export function finishRemoval(draft: Draft): void {
  for (const { name } of draft.state.regions) {
    const region = draft.region(name)
    if (region) keepInstances(draft, region)
  }
  if (draft.state.drill) rehearse(draft)
  const left = placesOf(draft.state).flatMap(({ instances }) => Object.values(instances))
  // What a lost server still runs was let go of by every router, and is ended as a stray when that server is back.
  if (left.every((instance) => waitsForItsServer(draft.state, instance)))
    draft.conclude({ type: "app-cleared" }, "nothing of it runs any more, and no route names it")
}
