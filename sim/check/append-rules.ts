import { type Rollout, terminal } from "../../src/core/rollout/rollout.ts"
import type { Append, StoredEvent } from "../../src/ports/journal.ts"
import type { Cluster } from "../cluster.ts"
import type { Checks } from "./checks.ts"

const budget = 3
const budgetWindow = 10 * 60_000

/** What must be true of every batch of events at the moment it is committed. */
export class AppendRules {
  readonly #cluster: Cluster
  readonly #checks: Checks
  readonly #commands = new Set<string>()
  readonly #epochs = new Map<string, number>()
  #rollbacks: { readonly app: string; readonly at: number }[] = []

  constructor(cluster: Cluster, checks: Checks) {
    this.#cluster = cluster
    this.#checks = checks
  }

  appended(plane: string, append: Append, stored: readonly StoredEvent[]): void {
    const { stream, epoch, command } = append
    const say = (rule: string, what: string): void => this.#checks.violated(rule, `${stream}: ${what}`)
    const lease = this.#cluster.store.leases.get(`app/${stream}`)
    if (lease?.owner !== plane || lease.epoch !== epoch)
      say("I17", `${plane} wrote with epoch ${epoch} while ${lease?.owner} held it with ${lease?.epoch}`)
    if (epoch < (this.#epochs.get(stream) ?? 0)) say("I17", `epoch fell to ${epoch}`)
    this.#epochs.set(stream, epoch)
    if (command) {
      if (this.#commands.has(command.id)) say("I16", `command ${command.id} took effect twice`)
      this.#commands.add(command.id)
    }
    const at = this.#checks.log.state(stream)
    const version = (stored[0]?.version ?? 1) - 1
    if (version > 0 && at === undefined) say("I14", "its first events are missing")
    for (const event of stored) {
      const before = this.#checks.log.state(stream)
      this.#before(event, stored, say)
      this.#checks.log.add(event, this.#cluster.timeline.now)
      const after = this.#checks.log.state(stream)
      if (after === undefined || before === after) continue
    }
    const state = this.#checks.log.state(stream)
    for (const region of state?.regions ?? []) {
      const open = Object.values(state?.rollouts ?? {}).filter(
        (rollout) => rollout.region === region.name && !terminal(rollout.phase),
      )
      if (open.length > 1)
        say("I23", `${region.name} has ${open.map(({ number }) => number).join(" and ")} under way`)
      for (const pool of new Set(Object.values(region.instances).map((instance) => instance.pool))) {
        const live = Object.values(region.instances).filter(
          (instance) => instance.pool === pool && !instance.retired && !instance.condemned,
        )
        if (live.length > region.policy.size)
          say("I22", `${region.name} wants ${live.length} of ${region.policy.size} in pool ${pool}`)
      }
    }
  }

  #before(
    stored: StoredEvent,
    batch: readonly StoredEvent[],
    say: (rule: string, what: string) => void,
  ): void {
    const { event, stream, by } = stored
    const { log } = this.#checks
    const state = log.state(stream)
    const rollout =
      "rollout" in event && event.rollout !== undefined ? state?.rollouts[event.rollout] : undefined
    const has = (type: string): boolean => batch.some((other) => other.event.type === type)
    switch (event.type) {
      case "gate-approved": {
        const release = rollout && state?.releases[rollout.release]
        const gate = rollout?.phase.name === "queued" ? rollout.phase.gate : undefined
        if (gate?.notAuthor && (by === release?.author || by === release?.email))
          say("I9", `${by} approved their own commit in rollout ${event.rollout}`)
        return
      }
      case "rollout-started": {
        const past = log.past(stream, event.rollout)
        const locks = [...(log.locks.get(stream)?.values() ?? [])]
        if (locks.some((region) => region === undefined || region === past?.region))
          say("I11", `rollout ${event.rollout} started while locked`)
        if (log.paused.has(stream)) say("I11", `rollout ${event.rollout} started while paused`)
        if (this.#cluster.killSwitch && this.#cluster.timeline.now - this.#checks.killedAt > 6_000)
          say("I11", `rollout ${event.rollout} started while the kill switch was set`)
        if (past?.queued.gate && !past.approved)
          say("I10", `rollout ${event.rollout} started without approval`)
        return
      }
      case "abort-started": {
        const to = event.to === undefined ? undefined : log.past(stream, event.to)
        if (event.to !== undefined && (!to?.succeeded || log.quarantined.has(`${stream}/${to.release}`)))
          say("I12", `rollout ${event.rollout} goes back to ${event.to}, which is not proven`)
        if (event.then === "rolled-back" && !(has("locked") || (log.locks.get(stream)?.size ?? 0) > 0))
          say("I13", `rollout ${event.rollout} goes back without a lock`)
        if (event.then === "rolled-back" && !has("quarantined"))
          say("I13", `rollout ${event.rollout} goes back without a quarantine`)
        if (event.automatic) this.#spend(stream, say)
        return
      }
      case "instance-retired": {
        const region = state?.regions.find((known) => known.name === event.region)
        const instance = region?.instances[event.instance]
        if (!region || !instance || instance.condemned || instance.state === "ended") return
        if (instance.pool === region.stable || region.kept.includes(instance.pool))
          say("I26", `${event.instance} of the good pool ${instance.pool} is given up: ${event.because}`)
        return
      }
      case "looked": {
        const { verdicts, decision } = event.look
        const dark = verdicts.some(({ kind }) => kind === "nodata")
        const worse = verdicts.some(({ kind }) => kind === "worse")
        if (dark && decision.action === "advance") say("I28", "no data was taken for a pass")
        if (
          dark &&
          !worse &&
          (decision.action === "halt" ||
            (decision.action === "rollback" && (rollout?.crashes ?? 0) === 0 && !this.#flapping()))
        )
          say("I28", "no data was taken for a failure")
        return
      }
      case "provisioning-started":
        if (event.step > 0 && rollout) this.#passed(rollout, event.step - 1, batch, say)
        return
      case "rollout-succeeded":
        if (rollout && this.#routed(stream, rollout) < 100)
          say(
            "I30",
            `rollout ${event.rollout} succeeded while the router sent it ${this.#routed(stream, rollout)} %`,
          )
        return
      case "rolled-back":
        if (rollout && this.#routed(stream, rollout) > 0)
          say(
            "I30",
            `rollout ${event.rollout} is back while the router sends it ${this.#routed(stream, rollout)} %`,
          )
        return
      default:
    }
  }

  #flapping(): boolean {
    return this.#cluster.scenario.happenings.some(({ kind }) => kind === "instance-flap")
  }

  /** A judged step is left only with fresh verdicts that all say ok, or because a person said so. */
  #passed(
    rollout: Rollout,
    step: number,
    batch: readonly StoredEvent[],
    say: (rule: string, what: string) => void,
  ): void {
    const policy = rollout.policy.regions.find(({ name }) => name === rollout.region)
    if (!rollout.schedule[step]?.analysis || !policy?.compare || rollout.from === undefined) return
    if (batch.some(({ event, by }) => event.type === "hold-ended" && by !== "immunity")) return
    const look = rollout.lastLook
    const fine =
      look?.stage === "shifting" &&
      look.decision.action === "advance" &&
      look.verdicts.length > 0 &&
      look.verdicts.every(({ kind }) => kind === "ok")
    if (!fine) return say("I27", `rollout ${rollout.number} left step ${step + 1} without a pass`)
    const served = Object.values(this.#cluster.server.instances.size > 0 ? this.#served(rollout) : {}).reduce(
      (sum, n) => sum + n,
      0,
    )
    const { minSamples } = policy.compare
    if (served < minSamples * 0.9)
      say("I27", `rollout ${rollout.number} passed with ${Math.floor(served)} of ${minSamples} requests`)
  }

  #served(rollout: Rollout): Readonly<Record<string, number>> {
    const { server, timeline } = this.#cluster
    server.traffic.advance(timeline.now)
    const found: Record<string, number> = {}
    for (const [id, count] of server.traffic.truth)
      if (id.includes(`-r${rollout.number}-`) && id.startsWith(`${rollout.policy.app}-${rollout.region}-`))
        found[id] = count.requests
    return found
  }

  #routed(app: string, rollout: Rollout): number {
    const routes = this.#cluster.server.tables[app]?.routes ?? []
    const route = routes.find((known) => known.route === `${app}/${rollout.region}`)
    return route?.pools.find((pool) => pool.pool === `r${rollout.number}`)?.weight ?? 0
  }

  #spend(app: string, say: (rule: string, what: string) => void): void {
    const { now } = this.#cluster.timeline
    const same = this.#rollbacks.some((known) => known.app === app && known.at === now)
    if (!same) this.#rollbacks.push({ app, at: now })
    this.#rollbacks = this.#rollbacks.filter(({ at }) => at > now - budgetWindow)
    if (this.#rollbacks.length > budget)
      say("I24", `${this.#rollbacks.length} automatic rollbacks in ten minutes`)
  }
}
