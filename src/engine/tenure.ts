import type { AppName } from "../core/model/ids.ts"
import type { Duration } from "../core/model/time.ts"
import { type Lease, presenceOf } from "../ports/leases.ts"
import { news, type Parts, sentence } from "./parts.ts"

const presenceFor = 8_000
const renewEvery = 2_000
const lookEvery = 1_000
/** An answer usually takes milliseconds. */
const late = 4_000
/** Each time it has looked so often, it asks for what is its own as well. */
const ownEvery = 16
/** Nothing is ordered in the last part of a presence: whoever comes next may already act. */
export const actWithin = presenceFor * 0.6

/** An application's work while it is held here. */
export type Holding = {
  begin(epoch: number): void
  /** It is another's now, or may be. */
  end(): void
  /** Another control plane was found to hold it. */
  follow(): void
}

/**
 * What this control plane holds, by one presence that it renews: a lease of each application names its owner, and lasts
 * as long as the owner is there. Ten thousand applications at rest cost one small write every two seconds.
 */
export class Tenure {
  readonly #parts: Pick<Parts, "leases" | "clock" | "owner" | "log">
  readonly #known = new Map<AppName, Holding>()
  /** Those that work here. */
  readonly #held = new Set<AppName>()
  /** Ours in the store; they begin when everything that others stored is read. */
  readonly #taken = new Map<AppName, Lease>()
  /** Never asked for: the store may not know of them. */
  readonly #fresh = new Set<AppName>()
  readonly #hear: () => Promise<void>
  #looks = 0
  #presence: Lease | undefined
  /** By our own clock, when the presence was last asked for with success; before the call, so never too late. */
  #askedAt = Number.NEGATIVE_INFINITY
  #news = new AbortController()
  /** Why nothing can be held, in a sentence. */
  problem: string | undefined

  /** `hear` reads what other control planes stored up to now. */
  constructor(parts: Pick<Parts, "leases" | "clock" | "owner" | "log">, hear: () => Promise<void>) {
    this.#parts = parts
    this.#hear = hear
  }

  get held(): number {
    return this.#held.size
  }

  /** How long ago the presence was asked for. */
  age(): Duration {
    return this.#parts.clock.mono() - this.#askedAt
  }

  /** From now on it is held when it can be. */
  add(app: AppName, holding: Holding): void {
    this.#known.set(app, holding)
    this.#fresh.add(app)
    this.#news.abort()
  }

  /** The store says that its lease is no longer ours. */
  lost(app: AppName): void {
    if (!this.#held.delete(app)) return
    this.#fresh.add(app)
    this.#known.get(app)?.end()
  }

  async hold(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts
    signal.addEventListener("abort", () => this.#news.abort())
    while (!signal.aborted) {
      this.#news = new AbortController()
      try {
        await this.#saysWhyLate(this.#keepPresence(), signal)
        if (!signal.aborted && this.#presence) await this.#takeWhatIsFree(signal)
        this.#tell(undefined)
      } catch (error) {
        this.#tell(sentence(error))
      }
      if (this.age() > actWithin) this.#endAll()
      if (!signal.aborted) await clock.sleep(lookEvery, this.#news.signal)
    }
  }

  /** An answer that is late may never come, and then only the store can say why. */
  async #saysWhyLate(answer: Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, leases } = this.#parts
    const answered = new AbortController()
    const asks = async (): Promise<void> => {
      for (;;) {
        await clock.sleep(late, answered.signal)
        if (answered.signal.aborted || signal.aborted) return
        const why = await leases.waitsFor?.().catch(() => undefined)
        if (why !== undefined && !answered.signal.aborted) this.#tell(why)
      }
    }
    if (leases.waitsFor) void asks()
    try {
      await answer
    } finally {
      answered.abort(news)
    }
  }

  /** Others may take everything at once. To be called when all work has ended. */
  async giveBack(): Promise<void> {
    const presence = this.#presence
    this.#presence = undefined
    if (presence) await this.#parts.leases.release(presence, this.#parts.owner).catch(() => undefined)
  }

  async #keepPresence(): Promise<void> {
    const { clock, leases, log, owner } = this.#parts
    if (this.#presence && this.age() < renewEvery) return
    const asked = clock.mono()
    if (this.#presence && (await leases.renew(this.#presence, owner, presenceFor))) {
      this.#askedAt = asked
      return
    }
    if (this.#presence) log.warn({ part: "lease" }, "another control plane found this one gone")
    // Whatever was held may be another's: it is taken anew, with newer epochs.
    this.#endAll()
    const again = clock.mono()
    this.#presence = await leases.acquire(presenceOf(owner), owner, presenceFor)
    if (!this.#presence) throw new Error(`another control plane goes by the name of ${owner}`)
    this.#askedAt = again
  }

  async #takeWhatIsFree(signal: AbortSignal): Promise<void> {
    const missing = this.#known.size - this.#held.size - this.#taken.size
    if (missing > 0) {
      const { leases, owner } = this.#parts
      const own = ++this.#looks % ownEvery === 0
      const open = missing > this.#fresh.size ? await leases.open(owner, own) : []
      const wanted = new Set([...this.#fresh, ...open.map((key) => key.slice(prefix.length))])
      const apps = [...wanted].filter((app) => this.#known.has(app) && !this.#holds(app))
      // When the answer is lost they may be ours already, and then nobody calls them open any more.
      for (const app of apps) this.#fresh.add(app)
      const keys = apps.map(keyOf)
      if (keys.length > 0 && !signal.aborted) this.#sort(keys, await leases.take(keys, owner))
    }
    if (this.#taken.size === 0) return
    await this.#hear()
    // The presence may have ended meanwhile, and with it what was taken under it.
    if (signal.aborted || this.age() > actWithin) return
    for (const [app, lease] of this.#taken) {
      this.#held.add(app)
      this.#known.get(app)?.begin(lease.epoch)
    }
    this.#taken.clear()
  }

  #sort(asked: readonly string[], given: readonly Lease[]): void {
    const ours = new Map(given.map((lease) => [lease.key, lease]))
    for (const key of asked) {
      const app = key.slice(prefix.length)
      const lease = ours.get(key)
      this.#fresh.delete(app)
      if (lease) this.#taken.set(app, lease)
      else this.#known.get(app)?.follow()
    }
  }

  #holds(app: AppName): boolean {
    return this.#held.has(app) || this.#taken.has(app)
  }

  #endAll(): void {
    if (this.#held.size === 0 && this.#taken.size === 0) return
    for (const app of this.#held) this.#known.get(app)?.end()
    for (const app of [...this.#held, ...this.#taken.keys()]) this.#fresh.add(app)
    this.#held.clear()
    this.#taken.clear()
  }

  #tell(problem: string | undefined): void {
    if (problem === this.problem) return
    this.problem = problem
    if (problem === undefined) this.#parts.log.info({ part: "lease" }, "well again")
    else this.#parts.log.warn({ part: "lease" }, problem)
  }
}

const prefix = "app/"
const keyOf = (app: AppName): string => `${prefix}${app}`
