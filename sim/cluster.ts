import type { Policy } from "../src/core/model/policy.ts"
import { Checks } from "./check/checks.ts"
import type { Faults, Fired } from "./faults.ts"
import { Plane } from "./plane.ts"
import { policyOf } from "./policy.ts"
import { Chance, Digest } from "./random.ts"
import type { Scenario, Target } from "./scenario.ts"
import { Server } from "./server.ts"
import { SourceModel } from "./source.ts"
import { StoreModel } from "./store.ts"
import { type Came, Timeline } from "./timeline.ts"

export type Line = { readonly at: number; readonly from: string; readonly to: string; readonly text: string }

export type Call<T> = {
  readonly plane: Plane
  readonly life: number
  readonly target: Target
  readonly verb: string
  readonly act: () => T
  readonly signal?: AbortSignal
}

/** How long a caller waits for a store or a repository that does not answer: their adapters have limits of their own. */
const patience = 6_000

/** Everything that is simulated, and the network between. */
export class Cluster {
  readonly scenario: Scenario
  readonly timeline = new Timeline()
  readonly chance: Chance
  readonly faults: Faults
  readonly store: StoreModel
  readonly server: Server
  readonly source: SourceModel
  readonly planes: readonly Plane[]
  readonly policies: ReadonlyMap<string, Policy>
  readonly check: Checks
  readonly digest = new Digest()
  readonly lines: Line[] = []
  readonly tracing: boolean
  readonly notices = new Set<string>()
  readonly cut = new Set<string>()
  killSwitch = false
  noRoom: string | undefined
  /** When anything last went wrong, of any kind; whoever promises a time is not held to it right after. */
  troubleAt = Number.NEGATIVE_INFINITY
  /** The same for calls alone, and for planes that stood still. */
  callTroubleAt = Number.NEGATIVE_INFINITY

  constructor(scenario: Scenario, faults: Faults, tracing = false) {
    this.scenario = scenario
    this.faults = faults
    this.tracing = tracing
    this.chance = new Chance(scenario.seed)
    const now = (): number => this.timeline.now
    this.store = new StoreModel(now)
    this.source = new SourceModel(scenario.apps, now)
    this.server = new Server("local", now, this.chance, (commit) => this.source.natureOf(commit))
    this.policies = new Map(scenario.apps.map((plan) => [plan.name, policyOf(plan)]))
    this.planes = Array.from({ length: scenario.replicas }, (_, i) => new Plane(`plane${i + 1}`, this))
    this.check = new Checks(this)
  }

  /** One call over the network, with whatever befalls it. A caller that died never hears of it again. */
  call<T>({ plane, life, target, verb, act, signal }: Call<T>): Promise<T> {
    if (!plane.up || plane.life !== life) return new Promise(() => {})
    const { timeline } = this
    const site = `${plane.name}>${target}.${verb}`
    const fault = this.faults.next(site, timeline.now)
    if (fault) this.#befalls(fault)
    if (fault?.kind === "crash-before") {
      timeline.in(0, () => this.#crash(plane, life, fault))
      return new Promise(() => {})
    }
    return new Promise<T>((resolve, reject) => {
      let open = true
      const close = (settle: () => void): boolean =>
        plane.deliver(life, () => {
          if (!open) return false
          open = false
          signal?.removeEventListener("abort", aborted)
          settle()
          return true
        })
      const aborted = (): void => void close(() => reject(signal?.reason))
      if (signal?.aborted) return void aborted()
      signal?.addEventListener("abort", aborted)
      const fail = (inMs: number, because: string): void =>
        timeline.in(inMs, () => close(() => reject(new Error(because))))
      if (!signal || target === "source") fail(patience, `${target}: no answer`)
      const arrive = (answers: boolean): Came => {
        if (this.cut.has(`${plane.name}>${target}`)) return false
        this.#trace(plane.name, target, verb)
        let settle: () => void
        try {
          const value = act()
          settle = () => resolve(value)
        } catch (error) {
          settle = () => reject(error)
        }
        if (fault?.kind === "crash-after") return this.#crash(plane, life, fault)
        if (!answers || fault?.kind === "lost-ack") return "unheard"
        const back =
          this.chance.between(`back ${site}`, 1, 15) + (fault?.kind === "slow-ack" ? fault.forMs : 0)
        timeline.in(back, () => {
          if (this.cut.has(`${plane.name}>${target}`)) return false
          return close(settle)
        })
        return "unheard"
      }
      const way = this.chance.between(`way ${site}`, 1, 15)
      if (this.cut.has(`${plane.name}>${target}`)) return
      if (fault?.kind === "drop") return
      if (fault?.kind === "refuse") return fail(way, `${target}: connection refused`)
      timeline.in(way + (fault?.kind === "delay" ? fault.forMs : 0), () => arrive(true))
      if (fault?.kind === "duplicate") timeline.in(way + fault.forMs, () => arrive(false))
    })
  }

  /** Something noteworthy that is not a call. */
  tell(who: string, text: string): void {
    this.#trace(who, who, text)
  }

  note(who: string, text: string): void {
    if (this.tracing) this.lines.push({ at: this.timeline.now, from: who, to: who, text })
  }

  trouble(): void {
    this.troubleAt = this.timeline.now
  }

  #befalls(fault: Fired): void {
    this.trouble()
    this.callTroubleAt = this.timeline.now
    if (this.tracing)
      this.note(fault.site.split(">")[0] ?? "", `FAULT ${fault.kind} on ${fault.site}#${fault.count}`)
    this.digest.add(`!${fault.kind}`)
  }

  #crash(plane: Plane, life: number, fault: Fired): boolean {
    if (!plane.up || plane.life !== life) return false
    this.trouble()
    plane.crash(`${fault.kind} at ${fault.site}`)
    this.timeline.in(fault.forMs, () => {
      this.trouble()
      plane.start()
      return true
    })
    return true
  }

  #trace(from: string, to: string, text: string): void {
    this.digest.add(`${this.timeline.now}${from}${to}${text}`)
    if (this.tracing) this.lines.push({ at: this.timeline.now, from, to, text })
  }
}
