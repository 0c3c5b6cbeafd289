import { type Rollout, terminal } from "../../src/core/rollout/rollout.ts"
import type { Append, StoredEvent } from "../../src/ports/journal.ts"
import type { Cluster } from "../cluster.ts"
import type { Checks } from "./checks.ts"

const budget = 3
const budgetWindow = 10 * 60_000
/** An append that is answered late is stored by then. */
const storing = 5_000

/** What must be true of every batch of events at the moment it is committed. */
export class AppendRules {
  readonly #cluster: Cluster
  readonly #checks: Checks
  readonly #commands = new Set<string>()
  readonly #epochs = new Map<string, number>()
  #rollbacks: { readonly app: string; readonly at: number }[] = []
  #paused: { readonly app: string; readonly at: number }[] = []

  constructor(cluster: Cluster, checks: Checks) {
    this.#cluster = cluster
    this.#checks = checks
  }

  appended(plane: string, append: Append, stored: readonly StoredEvent[]): void {
    this.#pausedForGood()
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
    const byPerson = stored.find(({ by }) => by !== "immunity")
    if (byPerson && !command)
      say("I31", `${byPerson.event.type} by ${byPerson.by} without the id of an order`)
    const at = this.#checks.log.state(stream)
    const version = (stored[0]?.version ?? 1) - 1
    if (version > 0 && at === undefined) say("I14", "its first events are missing")
    for (const event of stored) {
      this.#before(event, stored, command !== undefined, say)
      this.#checks.log.add(event, this.#cluster.timeline.now)
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
    /** By a person. */
    ordered: boolean,
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
        if (log.past(stream, event.rollout)?.approved)
          say("I16", `rollout ${event.rollout} was approved twice`)
        const release = rollout && state?.releases[rollout.release]
        const gate = rollout?.phase.name === "queued" ? rollout.phase.gate : undefined
        if (gate?.notAuthor && (by === release?.author || by === release?.email))
          say("I9", `${by} approved their own commit in rollout ${event.rollout}`)
        return
      }
      case "rollout-queued": {
        const index = state?.regions.findIndex(({ name }) => name === event.region) ?? 0
        const below = index > 0 ? state?.regions[index - 1]?.name : undefined
        const proven = [...log.pasts.values()].some(
          (past) =>
            past.app === stream &&
            past.region === below &&
            past.release === event.release &&
            past.everSucceeded &&
            !past.removed,
        )
        if (below !== undefined && !proven)
          say(
            "I10",
            `${event.release.slice(0, 7)} is queued for ${event.region} and never succeeded in ${below}`,
          )
        const tried = [...log.pasts.values()].find(
          (past) =>
            past.app === stream &&
            past.region === event.region &&
            past.release === event.release &&
            !past.superseded &&
            !past.removed,
        )
        // Only a person tries again; who has just said no has not asked for it.
        if (tried && (!ordered || has("gate-rejected")))
          say("I10", `${event.region} tries again by itself what rollout ${tried.number} tried`)
        return
      }
      case "build-started": {
        const commit = state?.commits.find(({ id }) => id === event.commit)
        if (commit?.state.name === "superseded")
          say("I31", `${event.commit.slice(0, 7)} is built although it was put aside`)
        return
      }
      case "commit-superseded": {
        const order = (id: string): number => state?.commits.findIndex((commit) => commit.id === id) ?? -1
        if (order(event.supersededBy) <= order(event.commit))
          say("I31", `${event.commit.slice(0, 7)} is put aside for what is not newer`)
        return
      }
      case "rollout-superseded":
        if (log.past(stream, event.rollout)?.started)
          say("I23", `rollout ${event.rollout} was under way when another one took its place`)
        return
      case "step-started":
        return this.#mayGoOn(stream, event.rollout, stored, "was raised", say)
      case "step-reached":
        if (rollout && this.#routed(stream, rollout) === 0)
          say("I30", `rollout ${event.rollout} reached its step while the router sends it nothing`)
        return
      case "weight-returned":
        if (rollout && this.#routed(stream, rollout) > 0)
          say("I30", `the weight of rollout ${event.rollout} returned while the router still sends it some`)
        return
      case "held": {
        const { hold } = event
        if (hold.because.includes("automatic rollbacks in ten minutes"))
          this.#paused.push({ app: stream, at: this.#cluster.timeline.now })
        const forGood = hold.why === "blind" && hold.until === undefined && rollout?.from !== undefined
        if (forGood && hold.weight !== "zero") say("I6", `rollout ${event.rollout} serves unwatched for good`)
        if (hold.why !== "halted" || !rollout) return
        const stuck =
          rollout.from === undefined ||
          hold.because.includes("no older release") ||
          (rollout.hadTraffic && state?.releases[rollout.release]?.irreversible)
        if (!stuck && hold.weight !== "zero")
          say("I6", `rollout ${event.rollout} is halted and keeps its traffic`)
        this.#accused(rollout, say)
        return
      }
      case "rollout-started": {
        const past = log.past(stream, event.rollout)
        this.#mayGoOn(stream, event.rollout, stored, "started", say)
        if (this.#cluster.killSwitch && this.#cluster.timeline.now - this.#checks.killedAt > 6_000)
          say("I11", `rollout ${event.rollout} started while the kill switch was set`)
        if (past?.queued.gate && !past.approved)
          say("I10", `rollout ${event.rollout} started without approval`)
        if (past && log.quarantined.has(`${stream}/${past.release}`))
          say("I12", `rollout ${event.rollout} started although its release is quarantined`)
        return
      }
      case "abort-started": {
        const to = event.to === undefined ? undefined : log.past(stream, event.to)
        if (event.to !== undefined && (!to?.succeeded || log.quarantined.has(`${stream}/${to.release}`)))
          say("I12", `rollout ${event.rollout} goes back to ${event.to}, which is not proven`)
        if (event.then === "rolled-back" && !(has("locked") || (log.locks.get(stream)?.size ?? 0) > 0))
          say("I13", `rollout ${event.rollout} goes back without a lock`)
        const quarantined = batch.some(
          (other) => other.event.type === "quarantined" && other.event.release === rollout?.release,
        )
        if (
          event.then === "rolled-back" &&
          !quarantined &&
          !log.quarantined.has(`${stream}/${rollout?.release}`)
        )
          say("I13", `rollout ${event.rollout} goes back without a quarantine`)
        if (event.automatic) this.#spend(stream, say)
        if (rollout && event.automatic) {
          this.#accused(rollout, say)
          if (rollout.hadTraffic && state?.releases[rollout.release]?.irreversible)
            say("I12", `rollout ${event.rollout} went back by itself, and what it changed cannot be undone`)
        }
        return
      }
      case "instance-retired": {
        const region = state?.regions.find((known) => known.name === event.region)
        const instance = region?.instances[event.instance]
        if (!region || !instance || instance.state === "ended") return
        // Its server was silent, and it ended meanwhile: nobody gives up what is not there.
        if (state?.left?.[instance.server]?.lost !== undefined && this.#gone(event.instance)) return
        const ready = Object.values(region.instances).some(
          (other) =>
            other.pool === instance.pool &&
            other.id !== instance.id &&
            other.state === "ready" &&
            !other.retired,
        )
        if (instance.condemned && instance.pool === region.stable && !ready)
          say("I2", `${event.instance} leaves before another one can serve in its place`)
        if (instance.condemned) return
        // Ended on purpose: never the last one.
        const planned = batch.some(({ event: { type } }) => type === "failure-planned")
        if (planned && ready) return
        if (instance.pool === region.stable || region.kept.includes(instance.pool))
          say("I26", `${event.instance} of the good pool ${instance.pool} is given up: ${event.because}`)
        return
      }
      case "looked": {
        const { verdicts, decision } = event.look
        const { callTroubleAt, server, timeline } = this.#cluster
        const since = Math.max(server.lieSince, callTroubleAt)
        const blind = server.metricsLie === "blind" && timeline.now - since > 9_000
        if (
          blind &&
          event.look.stage !== "baking" &&
          verdicts.some(({ kind, metric }) => metric === "error_rate" && kind !== "nodata")
        )
          say("I28", "nothing can be measured, and it is not called that")
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
        if (rollout) this.#baked(rollout, batch, say)
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

  /** Nothing goes forward while a lock, a pause or a freeze is in its way. */
  #mayGoOn(
    stream: string,
    number: number,
    { at }: StoredEvent,
    what: string,
    say: (rule: string, what: string) => void,
  ): void {
    const { log } = this.#checks
    const past = log.past(stream, number)
    const locks = [...(log.locks.get(stream)?.values() ?? [])]
    if (locks.some((region) => region === undefined || region === past?.region))
      say("I11", `rollout ${number} ${what} while locked`)
    if (log.paused.has(stream)) say("I11", `rollout ${number} ${what} while paused`)
    const freeze = this.#cluster.policies.get(stream)?.freeze ?? []
    if (freeze.some(({ spans }) => spans.some(({ from, until }) => from <= at && at < until)))
      say("I11", `rollout ${number} ${what} while frozen`)
  }

  /** A release is watched for its whole bake, unless a person said that it is enough. */
  #baked(rollout: Rollout, batch: readonly StoredEvent[], say: (rule: string, what: string) => void): void {
    if (batch.some(({ event, by }) => event.type === "hold-ended" && by !== "immunity")) return
    const needed = rollout.policy.regions.find(({ name }) => name === rollout.region)?.bake ?? 0
    const { phase } = rollout
    if (phase.name !== "baking" || phase.window.observed < needed)
      say("I27", `rollout ${rollout.number} succeeded before its bake was over`)
  }

  /** Beside a control nothing good is ever called worse, whatever the monitoring says and however sick the world is. */
  #accused(rollout: Rollout, say: (rule: string, what: string) => void): void {
    const { lastLook, release, from } = rollout
    const harmful = ["instance-crash", "instance-flap", "instance-vanish", "instance-modified"]
    if (this.#cluster.source.natureOf(release) !== "good" || from === undefined) return
    if (this.#cluster.scenario.happenings.some(({ kind }) => harmful.includes(kind))) return
    if (lastLook?.stage !== "shifting" || !lastLook.verdicts.some(({ kind }) => kind === "worse")) return
    const worse = lastLook.verdicts.find(({ kind }) => kind === "worse")
    say("I28", `rollout ${rollout.number} is good and was accused: ${worse?.because}`)
  }

  /** Whether it really ended, whatever anybody was told. */
  #gone(id: string): boolean {
    const { server, timeline } = this.#cluster
    return (server.instances.get(id)?.endedAt ?? Number.POSITIVE_INFINITY) <= timeline.now
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
    const { phase } = rollout
    if ("window" in phase && phase.window.observed < policy.compare.for)
      say(
        "I27",
        `rollout ${rollout.number} left step ${step + 1} after ${phase.window.observed} ms of evidence`,
      )
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

  /** Who pauses counts what is being stored at that moment as well, so it is asked a little later. */
  #pausedForGood(): void {
    const { now } = this.#cluster.timeline
    const due = this.#paused.filter(({ at }) => at <= now - storing)
    this.#paused = this.#paused.filter(({ at }) => at > now - storing)
    for (const { app, at } of due) {
      const taken = this.#rollbacks.filter(
        (known) => known.at > at - budgetWindow && known.at <= at + storing,
      )
      if (taken.length < budget)
        this.#checks.violated(
          "I24",
          `${app}: paused after ${taken.length} automatic rollbacks in ten minutes`,
        )
    }
  }

  #spend(app: string, say: (rule: string, what: string) => void): void {
    const { now } = this.#cluster.timeline
    const same = this.#rollbacks.some((known) => known.app === app && known.at === now)
    if (!same) this.#rollbacks.push({ app, at: now })
    this.#rollbacks = this.#rollbacks.filter(({ at }) => at > now - budgetWindow)
    // Two control planes may take the last place in the same moment; one alone may not.
    const moment = this.#cluster.scenario.replicas > 1 ? 1_000 : 0
    const others = this.#rollbacks.filter((known) => known.at <= now - moment && known.app !== app)
    if (others.length >= budget) say("I24", `${others.length + 1} automatic rollbacks in ten minutes`)
  }
}
