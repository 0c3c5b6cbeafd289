import { isAccepted } from "../answers/accepted.ts"
import type { Observation, PathCount } from "../model/measurement.ts"
import type { MetricPolicy } from "../model/policy.ts"
import type { DifferingPath } from "../model/verdict.ts"
import { logSum } from "./bets.ts"
import type { Look, Promotion } from "./look.ts"
import { tooFew } from "./look.ts"
import type { JudgeOptions } from "./options.ts"
import { pairedLogE, shareOfPath } from "./paired.ts"
import type { Seen } from "./seen.ts"
import { unforgiving } from "./taught.ts"
import { grouped } from "./words.ts"

/** The evidence on answers: requests compared, and the paths that ever differed on one side alone. */
export type AnswersState = {
  readonly kind: "answers"
  readonly compared: number
  /** In the order in which they were found. */
  readonly paths: readonly PathCount[]
}

export const openAnswers: AnswersState = { kind: "answers", compared: 0, paths: [] }

/** Paths beyond these are not judged. */
const mostJudged = 1_000

/** So many requests with a shape that never varied before, seen twice each, need no statistics. */
const structuralProof = 3

/** Among the paths that are called proven, at most this share is expected to be chance. */
const falseDiscoveries = 0.05

/** Evidence from which on "nothing is wrong" would be a bold thing to say. */
const suspicious = Math.log(20)

const shown = 8

export function readAnswers(
  seen: Observation | undefined,
): Extract<Observation, { kind: "answers" }> | undefined {
  if (seen?.kind !== "answers" || !(Number.isFinite(seen.compared) && seen.compared >= 0)) return undefined
  const sound = seen.paths.every(({ raw, noise, confirmed }) =>
    [raw, noise, confirmed].every((n) => Number.isInteger(n) && n >= 0),
  )
  return sound ? seen : undefined
}

/** The evidence after one more interval. What differs while the candidate warms up accuses nobody. */
export function foldAnswers(past: AnswersState, { canary, phase }: Seen): AnswersState {
  const seen = readAnswers(canary)
  if (!seen || phase === "warming") return past
  const paths = new Map(past.paths.map((path) => [keyOf(path), path]))
  for (const path of seen.paths) {
    const known = paths.get(keyOf(path))
    if (known) paths.set(keyOf(path), add(known, path))
    else if (paths.size < mostJudged) paths.set(keyOf(path), path)
  }
  return { kind: "answers", compared: past.compared + seen.compared, paths: [...paths.values()] }
}

const keyOf = ({ endpoint, path, structural }: PathCount): string => `${structural} ${endpoint} ${path}`

const add = (a: PathCount, b: PathCount): PathCount => ({
  ...a,
  raw: a.raw + b.raw,
  noise: a.noise + b.noise,
  confirmed: a.confirmed + b.confirmed,
  sample: b.sample ?? a.sample,
})

/** The same evidence with no path above this log e-value, and no shape proven yet. */
export function answersAtMost(past: AnswersState, ceiling: number): AnswersState {
  return { ...past, compared: 0, paths: past.paths.map((path) => atMost(path, ceiling)) }
}

function atMost(path: PathCount, ceiling: number): PathCount {
  const confirmed = Math.min(path.confirmed, structuralProof - 1)
  if (pairedLogE(path.raw, path.noise) <= ceiling) return { ...path, confirmed }
  return atMost({ ...path, raw: Math.floor(path.raw / 2), noise: Math.ceil(path.noise / 2) }, ceiling)
}

const acceptedBy = ({ source }: MetricPolicy): readonly string[] =>
  source.type === "answers" ? source.accept : []

type Weighed = {
  readonly path: PathCount
  /** Log e-value times the share of the path. */
  readonly logE: number
  readonly share: number
  readonly structural: boolean
}

/**
 * What the answers show. A candidate that is as good as a second stable instance differs alone no more often
 * than that one does; the e-values of all paths, weighted by shares that were fixed before, sum to one promise.
 */
export function lookAtAnswers(state: AnswersState, policy: MetricPolicy, options: JudgeOptions): Look {
  const intended = acceptedBy(policy)
  const accepted = (path: PathCount) => isAccepted(intended, path.endpoint, path.path)
  const weighed = state.paths
    .map((path, i) => ({ path, share: shareOfPath(i) }))
    .filter(({ path }) => !accepted(path))
    .map(({ path, share }): Weighed => {
      const logE = Math.log(share) + pairedLogE(path.raw, path.noise)
      return { path, logE, share, structural: isStructuralProof(path) }
    })
  const spent = weighed.reduce((sum, { share }) => sum + share, 0)
  const comparison = logSum([...weighed.map(({ logE }) => logE), Math.log(1 - spent)])
  const proven = new Set(discoveries(weighed).map(({ path }) => path))
  const shapes = weighed.filter(({ structural }) => structural)
  const ranked = [...weighed].sort(
    (a, b) => Number(b.structural) - Number(a.structural) || b.logE - a.logE || b.path.raw - a.path.raw,
  )
  const paths = [
    ...ranked
      .filter(({ path }) => path.raw > 0)
      .map(({ path, structural }) => told(path, structural || proven.has(path) ? "proven" : "suspected")),
    ...state.paths.filter(accepted).map((path) => told(path, "accepted")),
  ].slice(0, shown)
  const worst = ranked[0]?.path
  return {
    unit: "1",
    canary: state.compared > 0 ? { value: worst?.raw ?? 0, samples: state.compared } : undefined,
    control: state.compared > 0 ? { value: worst?.noise ?? 0, samples: state.compared } : undefined,
    comparison: options.solo ? undefined : unforgiving(comparison),
    targets: { evidence: undefined, kept: false, canaryBreaks: false, controlBreaks: false, words: "" },
    numbers: numbersOf(state, ranked, intended.length),
    tolerated: "no more than a second stable instance is tolerated",
    promotion: promotionOf(state, ranked, options),
    proven:
      shapes.length > 0 && !options.solo
        ? "a shape that never varied between stable instances, and differed again when asked again"
        : undefined,
    paths,
  }
}

const told = (path: PathCount, state: DifferingPath["state"]): DifferingPath => ({ ...path, state })

const isStructuralProof = ({ structural, confirmed, noise }: PathCount): boolean =>
  structural && confirmed >= structuralProof && noise === 0

/** e-BH with weights: holds under any dependence between the paths. */
function discoveries(weighed: readonly Weighed[]): readonly Weighed[] {
  const sorted = [...weighed].sort((a, b) => b.logE - a.logE)
  const last = sorted.findLastIndex(({ logE }, i) => logE >= -Math.log(falseDiscoveries * (i + 1)))
  return sorted.slice(0, last + 1)
}

function numbersOf(state: AnswersState, ranked: readonly Weighed[], accepted: number): string {
  const worst = ranked[0]?.path
  const compared = `${grouped(state.compared)} requests compared`
  const but = accepted > 0 ? `, ${accepted} paths accepted` : ""
  if (!worst || worst.raw === 0) return `${compared}${but}, no answer differs on the candidate alone`
  const sample = worst.sample ? ` (${worst.sample.stable} → ${worst.sample.candidate})` : ""
  return `${compared}${but}; ${worst.endpoint} ${worst.path}${sample} differs on the candidate alone in ${grouped(worst.raw)}, on a second stable instance in ${grouped(worst.noise)}`
}

/** Enough was compared, and no path is under suspicion. That every path is right can never be shown. */
function promotionOf(state: AnswersState, ranked: readonly Weighed[], options: JudgeOptions): Promotion {
  const few = tooFew(state.compared, Math.min(options.minSamples, mostNeeded))
  if (few) return few
  const suspect = ranked.find(
    ({ path, logE, share }) =>
      (path.confirmed > 0 && path.noise === 0) || logE - Math.log(share) >= suspicious,
  )
  return suspect
    ? { enough: false, because: `${suspect.path.path} is under suspicion, which may still be chance` }
    : { enough: true, because: "no path is under suspicion" }
}

/** Comparing is slower than mirroring; more than this is not waited for. */
const mostNeeded = 200
