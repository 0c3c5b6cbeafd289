import type { StoredEvent } from "../../src/ports/journal.ts"
import type { Cluster } from "../cluster.ts"
import type { Checks } from "./checks.ts"

/** After an order to go back users must be away so soon, when nothing stands in the way. */
const goneWithin = 6_000
/** The limit of the policies of these worlds, and two turns. */
const blindFor = 26_000
/** Of every region of these worlds; a clock that is a tenth slow reaches it later. */
const deadline = 66_000

type Leaving = { readonly app: string; readonly rollout: number; readonly at: number }

/** What must become true within a time. */
export class TimedRules {
  readonly #cluster: Cluster
  readonly #checks: Checks
  #leaving: Leaving[] = []

  #blind: (Leaving & { readonly heldAt: number })[] = []

  constructor(cluster: Cluster, checks: Checks) {
    this.#cluster = cluster
    this.#checks = checks
  }

  #provisioning: (Leaving & { readonly heldAt: number })[] = []

  appended(stored: readonly StoredEvent[]): void {
    for (const { event, stream, at } of stored) {
      const goes =
        (event.type === "held" && event.hold.weight === "zero") ||
        (event.type === "abort-started" && event.to !== undefined)
      if (event.type === "held" && event.hold.why === "blind" && event.hold.until !== undefined)
        this.#blind.push({ app: stream, rollout: event.rollout, at: this.#cluster.timeline.now, heldAt: at })
      if (event.type === "provisioning-started")
        this.#provisioning.push({
          app: stream,
          rollout: event.rollout,
          at: this.#cluster.timeline.now,
          heldAt: at,
        })
      if (goes) this.#leaving.push({ app: stream, rollout: event.rollout, at: this.#cluster.timeline.now })
    }
  }

  look(): void {
    const { now } = this.#cluster.timeline
    while (this.#leaving[0] && this.#leaving[0].at + goneWithin < now) {
      const leaving = this.#leaving.shift()
      if (leaving) this.#mustBeGone(leaving)
    }
    while (this.#blind[0] && this.#blind[0].at + blindFor < now) {
      const blind = this.#blind.shift()
      if (blind) this.#mustNotBeBlind(blind)
    }
    while (this.#provisioning[0] && this.#provisioning[0].at + deadline + goneWithin < now) {
      const late = this.#provisioning.shift()
      if (late) this.#mustHaveEnded(late)
    }
  }

  /** Nothing is promised while it is forbidden, or while somebody who would keep it is away. */
  #excused(): boolean {
    const { killSwitch, planes, timeline } = this.#cluster
    return killSwitch || planes.some(({ up, pausedUntil }) => !up || pausedUntil > timeline.now)
  }

  /** Its deadline ends it, one way or the other. */
  #mustHaveEnded({ app, rollout, at, heldAt }: Leaving & { readonly heldAt: number }): void {
    if (this.#cluster.troubleAt > at + deadline - goneWithin || this.#excused()) return
    const known = this.#checks.log.state(app)?.rollouts[rollout]
    if (known?.phase.name === "provisioning" && known.phase.since === heldAt)
      this.#checks.violated("L1", `${app}: rollout ${rollout} is past its deadline`)
  }

  /** A canary does not serve unwatched for ever. */
  #mustNotBeBlind({ app, rollout, at, heldAt }: Leaving & { readonly heldAt: number }): void {
    if (this.#cluster.troubleAt > at - goneWithin || this.#excused()) return
    const known = this.#checks.log.state(app)?.rollouts[rollout]
    if (known?.phase.name !== "holding" || known.from === undefined) return
    const { hold, since } = known.phase
    if (hold.why === "blind" && hold.weight === "frozen" && since === heldAt)
      this.#checks.violated("I6", `${app}: rollout ${rollout} served unwatched for ${blindFor} ms`)
  }

  #mustBeGone({ app, rollout, at }: Leaving): void {
    const { cut, server, troubleAt } = this.#cluster
    if (troubleAt > at - goneWithin || this.#excused()) return
    // Nobody can tell the router.
    if (cut.size > 0 || server.routerProblem !== undefined) return
    const { log } = this.#checks
    const past = log.past(app, rollout)
    const state = log.state(app)
    const phase = state?.rollouts[rollout]?.phase
    const stillGoing =
      (phase?.name === "holding" && phase.hold.weight === "zero") ||
      phase?.name === "aborting" ||
      phase?.name === "rolling-back"
    const region = state?.regions.find((known) => known.name === past?.region)
    const ready = Object.values(region?.instances ?? {}).filter(
      (instance) => instance.pool === region?.stable && instance.state === "ready" && !instance.retired,
    ).length
    if (!stillGoing || !region || ready * 2 < region.policy.size) return
    const route = this.#cluster.server.tables[app]?.routes.find(
      (known) => known.route === `${app}/${region.name}`,
    )
    const weight = route?.pools.find((pool) => pool.pool === `r${rollout}`)?.weight ?? 0
    if (weight > 0)
      this.#checks.violated("I6", `${app}: rollout ${rollout} still has ${weight} % after ${goneWithin} ms`)
  }
}
