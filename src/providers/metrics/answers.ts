import { type Discordance, discordances } from "../../core/answers/difference.ts"
import { endpointOf, type Flat, flatten } from "../../core/answers/flatten.ts"
import { redact } from "../../core/answers/redact.ts"
import type { PathCount } from "../../core/model/measurement.ts"
import type { MetricsSource } from "../../ports/metrics.ts"
import { askAnswer } from "./ask-answer.ts"

/** What the stable instances are asked in one interval, at most twice each. */
const mostRequests = 20
/** Paths kept of one interval; what else differs shows in the next. */
const mostKept = 200
const timeoutMs = 2_000
/** Nothing new is asked when this much time has passed: whoever waits for the interval gives up soon. */
const enoughMs = 2_500

type Target = { readonly address: string; readonly own: readonly string[] }
type Trio = { readonly first: Target; readonly second: Target; readonly candidate: Target }

/**
 * Puts the same harmless requests to a stable instance, a second one and the candidate, at the same time and
 * in random order, and counts where exactly one of the two differs from the first. With a single stable
 * instance that one is asked twice: what changes from answer to answer is noise still. What differs in shape
 * on the candidate alone is asked once more, and counts as confirmed when it does so again.
 */
export function answersMetrics(random: () => number = Math.random): MetricsSource {
  let turn = 0
  return {
    async observe({ metric, addresses, against = {} }, signal) {
      const { source } = metric
      if (source.type !== "answers")
        throw new Error(`metric ${metric.name} comes from ${source.type}, not from answers`)
      const candidates = targetsIn(addresses)
      const stable = targetsIn(against)
      if (candidates.length === 0 || stable.length === 0) return undefined
      const began = performance.now()
      const counts = new Map<string, PathCount>()
      let compared = 0
      for (let i = 0; i < mostRequests && performance.now() - began < enoughMs; i++) {
        const path = source.ask[turn++ % source.ask.length] ?? "/"
        const trio = chooseTrio(stable, candidates, random)
        const found = await compare(trio, path, signal, random)
        if (signal.aborted) break
        if (!found) continue
        compared++
        const suspect = found.some(({ structural, who }) => structural && who === "candidate")
        const again = suspect ? ((await compare(trio, path, signal, random)) ?? []) : []
        for (const one of found) count(counts, endpointOf("GET", path), one, again)
      }
      if (compared === 0)
        throw new Error(
          `not one of the requests that ${metric.name} asks was answered by all of candidate and stable instances`,
        )
      return { kind: "answers", compared, paths: [...counts.values()] }
    },
  }
}

const targetsIn = (addresses: Readonly<Record<string, string>>): readonly Target[] =>
  Object.entries(addresses).map(([id, address]) => ({ address, own: [id, address] }))

function chooseTrio(stable: readonly Target[], candidates: readonly Target[], random: () => number): Trio {
  const [first, second] = shuffled(stable, random)
  const [candidate] = shuffled(candidates, random)
  if (!first || !candidate) throw new Error("nobody to ask")
  return { first, second: second ?? first, candidate }
}

/** Undefined when one of the three gave no answer: errors and timeouts are for other metrics to judge. */
async function compare(
  { first, second, candidate }: Trio,
  path: string,
  signal: AbortSignal,
  random: () => number,
): Promise<readonly Discordance[] | undefined> {
  const asked = [first, second, candidate].map((target, i) => ({ target, i }))
  const flat: (Flat | undefined)[] = []
  await Promise.all(
    shuffled(asked, random).map(async ({ target, i }) => {
      const answer = await askAnswer(target.address, path, timeoutMs, signal)
      flat[i] = answer && flatten(answer, target.own)
    }),
  )
  const [a, b, c] = flat
  return a && b && c ? discordances(a, b, c) : undefined
}

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

function shuffled<T>(list: readonly T[], random: () => number): readonly T[] {
  return list
    .map((one) => ({ one, by: random() }))
    .sort((a, b) => a.by - b.by)
    .map(({ one }) => one)
}
