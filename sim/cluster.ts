import type { Policy } from "../src/core/model/policy.ts"
import { Checks } from "./check/checks.ts"
import type { Faults, Fired } from "./faults.ts"
import { Flight, type Way } from "./flight.ts"
import { Plane } from "./plane.ts"
import { policyOf } from "./policy.ts"
import { Chance, Digest } from "./random.ts"
import type { Scenario, Target } from "./scenario.ts"
import { Server } from "./server.ts"
import { SourceModel } from "./source.ts"
import { StoreModel } from "./store.ts"
import { Timeline } from "./timeline.ts"

export type Line = { readonly at: number; readonly from: string; readonly to: string; readonly text: string }

export type Call<T> = {
  readonly plane: Plane
  readonly life: number
  readonly target: Target
  readonly verb: string
  readonly act: () => T
  readonly signal?: AbortSignal
}

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
  readonly #ways = new Map<Plane, Readonly<Record<Target, Map<string, Way>>>>()
  /** Orders of people who wait for an answer, or will ask again. */
  readonly asking = new Set<string>()
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
  call<T>(call: Call<T>): Promise<T> {
    const { plane, life } = call
    if (!plane.up || plane.life !== life) return new Promise(() => {})
    const way = this.#wayOf(plane, call.target, call.verb)
    const fault = this.faults.next(way.site, ++way.calls, this.timeline.now)
    if (fault) this.#befalls(fault)
    if (fault?.kind === "crash-before") {
      this.timeline.in(0, () => this.#crash(plane, life, fault))
      return new Promise(() => {})
    }
    return new Promise<T>((resolve, reject) => {
      new Flight(this, call, way, fault, resolve, reject).start()
    })
  }

  /** A call takes effect. */
  reached({ from, to, verb, told }: Way): void {
    const { now } = this.timeline
    this.digest.addNumber(now)
    this.digest.add(told)
    if (this.tracing) this.lines.push({ at: now, from, to, text: verb })
  }

  /** The caller dies of its call. */
  diesOf(fault: Fired, { plane, life }: Pick<Call<unknown>, "plane" | "life">): boolean {
    return this.#crash(plane, life, fault)
  }

  /** Their names are made once: a world has few ways and many calls. */
  #wayOf(plane: Plane, to: Target, verb: string): Way {
    let known = this.#ways.get(plane)
    if (!known) {
      known = { store: new Map(), agent: new Map(), source: new Map(), notifier: new Map() }
      this.#ways.set(plane, known)
    }
    const way = known[to].get(verb)
    if (way) return way
    const cut = `${plane.name}>${to}`
    const site = `${cut}.${verb}`
    const made: Way = {
      site,
      cut,
      from: plane.name,
      to,
      verb,
      told: `${plane.name}${to}${verb}`,
      there: this.chance.at(`way ${site}`),
      back: this.chance.at(`back ${site}`),
      calls: 0,
    }
    known[to].set(verb, made)
    return made
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
