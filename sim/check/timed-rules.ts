import type { StoredEvent } from "../../src/ports/journal.ts"
import type { Cluster } from "../cluster.ts"
import type { Checks } from "./checks.ts"

/** After an order to go back users must be away so soon, when nothing stands in the way. */
const goneWithin = 6_000

/** What must become true within a time. */
export class TimedRules {
  readonly #cluster: Cluster
  readonly #checks: Checks
  #leaving: { readonly app: string; readonly rollout: number; readonly at: number }[] = []

  constructor(cluster: Cluster, checks: Checks) {
    this.#cluster = cluster
    this.#checks = checks
  }

  appended(stored: readonly StoredEvent[]): void {
    for (const { event, stream } of stored) {
      const goes =
        (event.type === "held" && event.hold.weight === "zero") ||
        (event.type === "abort-started" && event.to !== undefined)
      if (goes) this.#leaving.push({ app: stream, rollout: event.rollout, at: this.#cluster.timeline.now })
    }
  }

  look(): void {
    const { now } = this.#cluster.timeline
    while (this.#leaving[0] && this.#leaving[0].at + goneWithin < now) {
      const leaving = this.#leaving.shift()
      if (leaving) this.#mustBeGone(leaving)
    }
  }

  #mustBeGone({
    app,
    rollout,
    at,
  }: {
    readonly app: string
    readonly rollout: number
    readonly at: number
  }): void {
    if (this.#cluster.troubleAt > at - goneWithin || this.#cluster.killSwitch) return
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
