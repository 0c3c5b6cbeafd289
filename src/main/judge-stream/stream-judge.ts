import { decideAction, situation } from "../../core/decision/decide-action.ts"
import { defaultTable } from "../../core/decision/default-table.ts"
import type { JudgeState } from "../../core/judge/judge.ts"
import { observe, observeWarmUp, sourceBroken, startJudge, verdicts } from "../../core/judge/judge.ts"
import type { Measurement } from "../../core/model/measurement.ts"
import type { Verdict } from "../../core/model/verdict.ts"
import type { Decision, Header, Obs } from "./contract.ts"
import { observationOf, policyOf } from "./translate.ts"

export type Answer = { readonly decision: Decision; readonly reason: string }

/** A stream allows one false alarm in a hundred rollouts; the product's own default is half of that. */
const alpha = 0.01

/** The product's judge and default decision table, over the stream of one case. */
export class StreamJudge {
  readonly #header: Header
  #judge: JudgeState

  constructor(header: Header) {
    this.#header = header
    this.#judge = startJudge(header.metrics.map(policyOf), { alpha })
  }

  /** One interval has closed; `added` is what each metric and role added in it. */
  tick(t: number, end: boolean, added: readonly Obs[]): Answer {
    const { interval_s, metrics, warmup_s } = this.#header
    const by = Map.groupBy(added, ({ metric, role }) => `${metric} ${role}`)
    const hear = t <= warmup_s ? observeWarmUp : observe
    for (const metric of metrics) {
      const measurement: Measurement = {
        metric: metric.name,
        from: (t - interval_s) * 1000,
        to: t * 1000,
        canary: observationOf(metric, by.get(`${metric.name} canary`)),
        control: observationOf(metric, by.get(`${metric.name} control`)),
      }
      this.#judge = hear(this.#judge, measurement)
    }
    const found = verdicts(this.#judge)
    const facts = { sourceBroken: sourceBroken(this.#judge), probesFailing: false, reversible: true }
    const { action } = decideAction(defaultTable, situation(found, facts))
    return answerOf(action, end, found)
  }
}

/**
 * A stream knows neither a halt nor a person to ask: what the table stops is rolled back. It is promoted
 * only at the end and only where the table advances.
 */
function answerOf(action: string, end: boolean, found: readonly Verdict[]): Answer {
  const reason = found
    .filter(({ kind }) => kind === "worse")
    .map(({ metric, because }) => `${metric}: ${because}`)
    .join("; ")
  if (action === "rollback" || action === "halt") return { decision: "rollback", reason }
  if (end && action === "advance") return { decision: "promote", reason: "every metric is ok" }
  return { decision: "hold", reason: "" }
}
