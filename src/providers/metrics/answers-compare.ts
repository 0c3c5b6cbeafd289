import { setTimeout as sleep } from "node:timers/promises"
import { type Discordance, discordances } from "../../core/answers/difference.ts"
import { endpointOf, type Flat, flatten } from "../../core/answers/flatten.ts"
import { redact } from "../../core/answers/redact.ts"
import type { Observation, PathCount } from "../../core/model/measurement.ts"
import type { ToAsk, ToCompare } from "./answers-wire.ts"
import { askAnswer } from "./ask-answer.ts"

/** What is asked in one round, at most twice each; more is dropped. */
export const mostRequests = 20
/** Paths kept of one round; what else differs shows in the next. */
const mostKept = 200
/** Endpoints told apart of one application; others share one name, however many names users make up. */
const mostEndpoints = 100
const timeoutMs = 1_200
/** Nothing new is asked when this much time has passed: whoever waits for the round gives up soon. */
const enoughMs = 2_500
/** Requests that are under way at once while the stable instances answer quickly; each asks one of them or two. */
const mostAtOnce = 4
/** Of what is under way at once, so much at most comes on each stable instance where there are few. */
const mostOnEach = 4
/** Answers that are as quick as this, or hardly slower than that to one request alone, show that more may be asked. */
const quickMs = 100
const hardlySlower = 1.5
/** Between them and the next ones. */
const pauseMs = 40
/** Stable instances that take longer, or fail, so often in a row have enough to do. */
const slowMs = 600
const slowInARow = 3
const restMs = 10_000

type Target = { readonly address: string; readonly own: readonly string[] }
type Trio = { readonly first: Target; readonly second: Target; readonly candidate: Target }
type Compared = { readonly found: readonly Discordance[] | undefined; readonly tookMs: number }
/** `tookMs`: the slowest answer of a stable instance, infinite when one gave none. `again`: what differed when a suspicious request was put once more. */
type Twice = Compared & { readonly again: readonly Discordance[] }

/**
 * Puts the same harmless requests to a stable instance, a second one and the candidate, at the same time and
 * in random order, and counts where exactly one of the two differs from the first. With a single stable
 * instance that one is asked twice: what changes from answer to answer is noise still. What differs in shape
 * on the candidate alone is asked once more, and counts as confirmed when it does so again.
 */
export class Comparer {
  readonly #random: () => number
  /** By application. */
  readonly #restUntil = new Map<string, number>()
  /** Slow answers in a row, over rounds. */
  readonly #slow = new Map<string, number>()
  readonly #endpoints = new Map<string, Set<string>>()

  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /** One round. Throws when nobody answered, and while the stable instances shall be left alone. */
  async compare({ app, candidates, stable, requests }: ToCompare): Promise<Observation> {
    const began = performance.now()
    const restUntil = this.#restUntil.get(app) ?? 0
    if (began < restUntil)
      throw new Error(
        `the stable instances of ${app} answer slowly or not at all; they are asked again in ${Math.ceil((restUntil - began) / 1_000)} s`,
      )
    const counts = new Map<string, PathCount>()
    let compared = 0
    let slow = this.#slow.get(app) ?? 0
    const waiting = requests.slice(0, mostRequests)
    const widest = Math.min(
      mostAtOnce,
      Math.max(1, Math.floor((mostOnEach * Object.keys(stable).length) / 2)),
    )
    let aloneMs = 0
    // Begun with one, and with one again after whatever took longer: whoever has enough to do is not asked by many.
    for (let width = 1; waiting.length > 0; ) {
      if (performance.now() - began >= enoughMs || slow >= slowInARow) break
      const asked = waiting.splice(0, width)
      const seen = await Promise.all(
        asked.map((one) => this.#askTwice(this.#chooseTrio(targetsIn(stable), targetsIn(candidates)), one)),
      )
      // In the order in which they were asked for, whichever came first.
      for (const [i, one] of asked.entries()) {
        const { found, again } = seen[i] ?? noAnswer
        if (!found) continue
        compared++
        const endpoint = this.#nameOf(app, one)
        for (const difference of found) count(counts, endpoint, difference, again)
      }
      const tookMs = Math.max(...seen.map((one) => one.tookMs))
      // One stall holds up all that is under way at once, and is one slow answer.
      slow = tookMs > slowMs ? slow + 1 : 0
      if (width === 1) aloneMs = tookMs
      const mayAskMore = slow === 0 && tookMs <= Math.max(quickMs, hardlySlower * aloneMs)
      width = mayAskMore ? Math.min(2 * width, widest) : 1
      await sleep(pauseMs)
    }
    this.#slow.set(app, slow >= slowInARow ? 0 : slow)
    if (slow >= slowInARow) this.#restUntil.set(app, performance.now() + restMs)
    if (compared === 0)
      throw new Error("not one of the requests was answered by all of candidate and stable instances")
    return { kind: "answers", compared, paths: [...counts.values()] }
  }

  #chooseTrio(stable: readonly Target[], candidates: readonly Target[]): Trio {
    const [first, second] = this.#shuffled(stable)
    const [candidate] = this.#shuffled(candidates)
    if (!first || !candidate) throw new Error("nobody to ask")
    return { first, second: second ?? first, candidate }
  }

  /** What differs in shape on the candidate alone is asked once more. */
  async #askTwice(trio: Trio, asked: ToAsk): Promise<Twice> {
    const once = await this.#ask(trio, asked)
    const suspect = once.found?.some(({ structural, who }) => structural && who === "candidate")
    return { ...once, again: suspect ? ((await this.#ask(trio, asked)).found ?? []) : [] }
  }

  /** `found` is undefined when one of the three gave no answer: errors and timeouts are for other metrics to judge. */
  async #ask({ first, second, candidate }: Trio, asked: ToAsk): Promise<Compared> {
    const flat: (Flat | undefined)[] = []
    let tookMs = 0
    await Promise.all(
      this.#shuffled([first, second, candidate].map((target, i) => ({ target, i }))).map(
        async ({ target, i }) => {
          const began = performance.now()
          const answer = await askAnswer(target.address, asked, timeoutMs)
          flat[i] = answer && flatten(answer, target.own)
          if (target !== candidate) tookMs = Math.max(tookMs, answer ? performance.now() - began : Infinity)
        },
      ),
    )
    const [a, b, c] = flat
    return { found: a && b && c ? discordances(a, b, c) : undefined, tookMs }
  }

  #nameOf(app: string, { method, target }: ToAsk): string {
    const name = endpointOf(method, target)
    const known = this.#endpoints.get(app) ?? new Set()
    this.#endpoints.set(app, known)
    if (known.size < mostEndpoints) known.add(name)
    return known.has(name) ? name : `${method} (others)`
  }

  #shuffled<T>(list: readonly T[]): readonly T[] {
    return list
      .map((one) => ({ one, by: this.#random() }))
      .sort((a, b) => a.by - b.by)
      .map(({ one }) => one)
  }
}

const noAnswer: Twice = { found: undefined, again: [], tookMs: 0 }

const targetsIn = (addresses: Readonly<Record<string, string>>): readonly Target[] =>
  Object.entries(addresses).map(([id, address]) => ({ address, own: [id, address] }))

function count(
  counts: Map<string, PathCount>,
  endpoint: string,
  { path, structural, who, difference }: Discordance,
  again: readonly Discordance[],
): void {
  const key = `${structural} ${endpoint} ${path}`
  const known = counts.get(key)
  if (!known && counts.size >= mostKept) return
  const past = known ?? { endpoint, path, structural, raw: 0, confirmed: 0, noise: 0 }
  if (who === "second") {
    counts.set(key, { ...past, noise: past.noise + 1 })
    return
  }
  const repeated =
    structural && again.some((one) => one.structural && one.who === "candidate" && one.path === path)
  counts.set(key, {
    ...past,
    raw: past.raw + 1,
    confirmed: past.confirmed + (repeated ? 1 : 0),
    sample: redact(difference),
  })
}
