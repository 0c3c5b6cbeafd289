import { actionsByCaution, type DecisionTable, type MetricPolicy, type Rule } from "../model/policy.ts"
import type { VerdictKind } from "../model/verdict.ts"
import { matches, type Situation } from "./decide-action.ts"

export type TableCheck = {
  /** How many situations there are; metrics that no row names are told apart only by being critical. */
  readonly cases: number
  /** Rows that never decide anything. */
  readonly dead: readonly DeadRow[]
  /** Situations that no row matches, and the first of them. */
  readonly gaps: number
  readonly gap: Situation | undefined
}

export type DeadRow = {
  readonly rule: Rule
  /** The rows that always win over it; empty when nothing ever matches it. */
  readonly hiddenBy: readonly Rule[]
}

/** Past this many situations a table is too wide to be walked through (a few seconds of work). */
const mostCases = 500_000

/**
 * Walks through every situation that a table can meet: each verdict of each metric, monitoring, control,
 * probes, reversibility. Undefined when there are too many of them.
 */
export function checkTable(
  table: DecisionTable,
  metrics: readonly Pick<MetricPolicy, "name" | "critical">[],
): TableCheck | undefined {
  const groups = groupsOf(table, metrics)
  const cases = groups.reduce((product, group) => product * group.length, worlds.length)
  if (cases > mostCases) return undefined
  const deciding = new Set<Rule>()
  const winners = new Map<Rule, Set<Rule>>(table.rules.map((rule) => [rule, new Set<Rule>()]))
  let gaps = 0
  let gap: Situation | undefined
  for (const verdicts of product(groups)) {
    for (const world of worlds) {
      const now: Situation = { metrics: verdicts, ...world }
      const matching = table.rules.filter((rule) => matches(rule.when, now))
      const [first, ...rest] = matching
      if (!first) {
        gaps++
        gap ??= now
        continue
      }
      const winner = rest.reduce((best, rule) => (caution(rule) > caution(best) ? rule : best), first)
      deciding.add(winner)
      for (const loser of matching) if (loser !== winner) winners.get(loser)?.add(winner)
    }
  }
  const dead = table.rules
    .filter((rule) => !deciding.has(rule))
    .map((rule) => ({ rule, hiddenBy: [...(winners.get(rule) ?? [])] }))
  return { cases, dead, gaps, gap }
}

const caution = (rule: Rule): number => actionsByCaution.indexOf(rule.then)
const kinds: readonly VerdictKind[] = ["ok", "worse", "unsure", "nodata"]
const sides = [true, false] as const

type World = Omit<Situation, "metrics">
const worlds: readonly World[] = (["ok", "broken"] as const).flatMap((monitoring) =>
  (["ok", "bad"] as const).flatMap((control) =>
    (["ok", "failing"] as const).flatMap((probes) =>
      sides.map((reversible) => ({ monitoring, control, probes, reversible })),
    ),
  ),
)

/** Each metric that a row names alone; the others by class, because no row can tell them apart. */
function groupsOf(
  table: DecisionTable,
  metrics: readonly Pick<MetricPolicy, "name" | "critical">[],
): readonly (readonly Situation["metrics"][])[] {
  const named = new Set(table.rules.flatMap(({ when }) => Object.keys(when.metric ?? {})))
  const alone = metrics.filter(({ name }) => named.has(name)).map((metric) => multisets([metric]))
  const classes = sides
    .map((side) => metrics.filter(({ name, critical }) => !named.has(name) && critical === side))
    .filter((members) => members.length > 0)
    .map((members) => multisets(members))
  return [...alone, ...classes]
}

/** Every way to give interchangeable metrics a verdict: 4 for one, 10 for two, 20 for three. */
function multisets(
  members: readonly Pick<MetricPolicy, "name" | "critical">[],
  from = 0,
): readonly Situation["metrics"][] {
  const [first, ...rest] = members
  if (!first) return [[]]
  return kinds
    .slice(from)
    .flatMap((kind, i) => multisets(rest, from + i).map((others) => [{ ...first, kind }, ...others]))
}

function* product(groups: readonly (readonly Situation["metrics"][])[]): Generator<Situation["metrics"]> {
  const [first, ...rest] = groups
  if (!first) return yield []
  for (const head of first) for (const tail of product(rest)) yield [...head, ...tail]
}
