import { type Action, actionsByCaution, type Condition, type DecisionTable } from "../model/policy.ts"
import type { Verdict, VerdictKind } from "../model/verdict.ts"

/** What the table looks at. */
export type Situation = {
  readonly metrics: readonly {
    readonly name: string
    readonly kind: VerdictKind
    readonly critical: boolean
  }[]
  readonly monitoring: "ok" | "broken"
  /** `bad`: the control breaks the same target; the world is sick, not the release. */
  readonly control: "ok" | "bad"
  readonly probes: "ok" | "failing"
  readonly reversible: boolean
}

export type Facts = {
  readonly sourceBroken: boolean
  readonly probesFailing: boolean
  readonly reversible: boolean
}

export function situation(verdicts: readonly Verdict[], facts: Facts): Situation {
  return {
    metrics: verdicts.map(({ metric, kind, critical }) => ({ name: metric, kind, critical })),
    monitoring: facts.sourceBroken ? "broken" : "ok",
    control: verdicts.some((verdict) => verdict.controlAlsoBad) ? "bad" : "ok",
    probes: facts.probesFailing ? "failing" : "ok",
    reversible: facts.reversible,
  }
}

export type Chosen = { readonly action: Action; readonly rule: string; readonly because: string }

/**
 * The most cautious action among the matching rows wins (DMN's hit policy `priority`): order never
 * matters, and adding a row never makes the system bolder. Among equals the first row names the reason.
 */
export function decideAction(table: DecisionTable, now: Situation): Chosen {
  let chosen: Chosen | undefined
  for (const rule of table.rules) {
    if (!matches(rule.when, now)) continue
    if (chosen && caution(chosen.action) >= caution(rule.then)) continue
    chosen = { action: rule.then, rule: rule.id, because: rule.because ?? inWords(rule.when) }
  }
  return (
    chosen ?? { action: table.fallback, rule: "default", because: "no row of the decision table matches" }
  )
}

const caution = (action: Action): number => actionsByCaution.indexOf(action)

/** Whether everything that a condition names holds now. */
export function matches(when: Condition, now: Situation): boolean {
  const of = (kind: VerdictKind) => now.metrics.filter((metric) => metric.kind === kind)
  if (when.critical && !of(when.critical).some((metric) => metric.critical)) return false
  if (when.any && of(when.any).length < (when.count ?? 1)) return false
  if (when.all && (now.metrics.length === 0 || of(when.all).length < now.metrics.length)) return false
  for (const [name, kind] of Object.entries(when.metric ?? {})) {
    if (!of(kind).some((metric) => metric.name === name)) return false
  }
  if (when.monitoring && when.monitoring !== now.monitoring) return false
  if (when.control && when.control !== now.control) return false
  if (when.probes && when.probes !== now.probes) return false
  return when.reversible === undefined || when.reversible === now.reversible
}

/** A condition as people say it. */
export function inWords(when: Condition): string {
  const parts: string[] = []
  if (when.critical) parts.push(`a critical metric is ${when.critical}`)
  if (when.any) {
    const count = when.count ?? 1
    parts.push(count === 1 ? `a metric is ${when.any}` : `${count} or more metrics are ${when.any}`)
  }
  if (when.all) parts.push(`every metric is ${when.all}`)
  for (const [name, kind] of Object.entries(when.metric ?? {})) parts.push(`${name} is ${kind}`)
  if (when.monitoring) parts.push(`monitoring is ${when.monitoring}`)
  if (when.control) parts.push(when.control === "bad" ? "the control is bad as well" : "the control is well")
  if (when.probes)
    parts.push(when.probes === "failing" ? "instances crash or fail their probes" : "probes pass")
  if (when.reversible !== undefined)
    parts.push(when.reversible ? "it can be taken back" : "it cannot be taken back")
  return parts.length > 0 ? parts.join(", ") : "always"
}
