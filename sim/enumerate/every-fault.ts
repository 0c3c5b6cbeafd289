import type { Cluster } from "../cluster.ts"
import { type Faults, NthFault } from "../faults.ts"
import { operate } from "../operators.ts"
import { run } from "../run.ts"
import { callFaults, type Scenario, twoReleases } from "../scenario.ts"

export type Enumerated = {
  readonly runs: number
  /** Calls that were hit, over all worlds. */
  readonly calls: number
  /** Runs in which a person said halt nearby. */
  readonly withHalt: number
  readonly violations: readonly { readonly where: string; readonly rule: string; readonly what: string }[]
  /** False when it was stopped before the last run. */
  readonly complete: boolean
}

const settled = 12_000

/** A first release serves, then a second one comes and stands beside it: small, so that every call can be hit. */
const world = (nature: "good" | "errors", replicas: number): Scenario =>
  twoReleases({
    seed: replicas,
    replicas,
    size: 1,
    secondAt: settled,
    nature,
    happenings: [],
    calmFrom: settled + 12_000,
  })

const worlds = { good: world("good", 1), bad: world("errors", 1), "two planes": world("errors", 2) }

/** Chatter that carries nothing: the same poll again comes a second later. */
const idle = /store\.(outbox|waiting-orders)$/

/** Faults on one call, and a person's halt on another. */
class WithHalt implements Faults {
  readonly #inner: Faults
  readonly #haltAt: number
  readonly #halt: () => void
  readonly sites: { readonly site: string; readonly at: number }[] = []

  constructor(inner: Faults, haltAt: number, halt: () => void) {
    this.#inner = inner
    this.#haltAt = haltAt
    this.#halt = halt
  }

  get fired() {
    return this.#inner.fired
  }

  get asked() {
    return this.#inner.asked
  }

  next(site: string, count: number, now: number) {
    this.sites.push({ site, at: now })
    if (this.sites.length === this.#haltAt) this.#halt()
    return this.#inner.next(site, count, now)
  }
}

/**
 * The n-th part of all runs: every call of a rollout × every fault, alone and with a halt at calls nearby. Asks after
 * each run whether it shall stop, and then says what it has seen until then.
 */
export async function everyFault(
  index: number,
  parts: number,
  halts: number,
  stopped: () => Promise<boolean>,
): Promise<Enumerated> {
  let runs = 0
  let withHalt = 0
  let calls = 0
  const violations: { where: string; rule: string; what: string }[] = []
  for (const [name, scenario] of Object.entries(worlds)) {
    const one = async (nth: number, kind: (typeof callFaults)[number], haltAt: number) => {
      let cluster: Cluster | undefined
      const halt = (): void => {
        cluster?.timeline.in(0, () => {
          if (cluster) operate(cluster, "halt", 0)
          return true
        })
      }
      const faults = new WithHalt(new NthFault(nth, kind), haltAt, halt)
      const also = (made: Cluster): void => {
        cluster = made
      }
      const outcome = await run(scenario, faults, { also, rest: haltAt > 0 ? 0 : undefined })
      runs++
      if (haltAt > 0) withHalt++
      for (const { rule, what } of outcome.violations.slice(0, 1))
        violations.push({
          where: `${name} ${nth}:${kind}${haltAt > 0 ? `, halt@${haltAt}` : ""}`,
          rule,
          what,
        })
      return faults.sites
    }
    const sites = await one(0, "drop", 0)
    const hit = sites.flatMap(({ site, at }, i) =>
      at >= settled && at < scenario.calmFrom + 10_000 && !idle.test(site) ? [i + 1] : [],
    )
    calls += hit.length
    for (const [i, nth] of hit.entries()) {
      if (i % parts !== index) continue
      for (const kind of callFaults) {
        await one(nth, kind, 0)
        for (let offset = 0; offset < halts; offset++) {
          const near = hit[i + offset * 2 - halts]
          if (near !== undefined) await one(nth, kind, near)
          if (await stopped()) return { runs, calls, withHalt, violations, complete: false }
        }
      }
    }
  }
  return { runs, calls, withHalt, violations, complete: true }
}
