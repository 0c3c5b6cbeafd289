import { keyed } from "./random.ts"
import { type CallFault, callFaults, type Scenario } from "./scenario.ts"

/** A fault that hit a call: the place, the how-manieth call there, and how long whatever takes long takes. */
export type Fired = {
  readonly site: string
  readonly count: number
  readonly kind: CallFault
  readonly forMs: number
}

/** Says what happens to each call. */
export interface Faults {
  readonly fired: readonly Fired[]
  /** Calls asked about so far. */
  readonly asked: number
  /** `count`: the how-manieth call of its place it is. */
  next(site: string, count: number, now: number): Fired | undefined
}

abstract class Counted implements Faults {
  readonly fired: Fired[] = []
  asked = 0

  next(site: string, count: number, now: number): Fired | undefined {
    this.asked++
    const fault = this.choose(site, count, now)
    if (fault) this.fired.push(fault)
    return fault
  }

  protected abstract choose(site: string, count: number, now: number): Fired | undefined
}

/** By chance, inside the bursts of a scenario. */
export class RandomFaults extends Counted {
  readonly #scenario: Scenario
  readonly #kinds: readonly (readonly [CallFault, number])[]

  constructor(scenario: Scenario) {
    super()
    this.#scenario = scenario
    this.#kinds = callFaults.flatMap((kind) => {
      const probability = scenario.calls[kind]
      return probability ? [[kind, probability] as const] : []
    })
  }

  protected choose(site: string, count: number, now: number): Fired | undefined {
    if (!this.#scenario.bursts.some(([from, to]) => from <= now && now < to)) return undefined
    let left = keyed(this.#scenario.seed, `fault ${site}`, count)
    for (const [kind, probability] of this.#kinds) {
      if (left < probability) {
        const { seed, longestFault } = this.#scenario
        return fired(site, count, kind, keyed(seed, `long ${site}`, count), longestFault)
      }
      left -= probability
    }
    return undefined
  }
}

/** Exactly these and no others: for replays and for shrinking. */
export class ListedFaults extends Counted {
  readonly #listed: ReadonlyMap<string, Fired>

  constructor(listed: readonly Fired[]) {
    super()
    this.#listed = new Map(listed.map((fault) => [`${fault.site}#${fault.count}`, fault]))
  }

  protected choose(site: string, count: number): Fired | undefined {
    return this.#listed.get(`${site}#${count}`)
  }
}

/** One fault on the n-th call of the run: for the enumeration of all of them. */
export class NthFault extends Counted {
  readonly #nth: number
  readonly #kind: CallFault

  constructor(nth: number, kind: CallFault) {
    super()
    this.#nth = nth
    this.#kind = kind
  }

  protected choose(site: string, count: number): Fired | undefined {
    return this.asked === this.#nth ? fired(site, count, this.#kind, 0.65) : undefined
  }
}

/** The same fault on every call of a place for a while. */
export class FaultsDuring extends Counted {
  readonly #site: string
  readonly #kind: CallFault
  readonly #from: number
  readonly #until: number
  readonly #forMs: number

  constructor(site: string, kind: CallFault, from: number, until: number, forMs = 500) {
    super()
    this.#site = site
    this.#kind = kind
    this.#from = from
    this.#until = until
    this.#forMs = forMs
  }

  protected choose(site: string, count: number, now: number): Fired | undefined {
    if (site !== this.#site || now < this.#from || now >= this.#until) return undefined
    return { site, count, kind: this.#kind, forMs: this.#forMs }
  }
}

/** A delay lasts up to 15 s, a copy comes up to 20 s later, a process is back after 8 s at most; `longest` limits all. */
function fired(site: string, count: number, kind: CallFault, long: number, longest = 20_000): Fired {
  const most = {
    delay: 15_000,
    "slow-ack": 15_000,
    duplicate: 20_000,
    "crash-before": 8_000,
    "crash-after": 8_000,
  }
  const limit = Math.min(longest, kind in most ? most[kind as keyof typeof most] : 0)
  return { site, count, kind, forMs: Math.floor(500 + long * Math.max(0, limit - 500)) }
}
