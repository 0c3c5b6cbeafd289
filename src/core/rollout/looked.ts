import { autonomyFor } from "../decision/autonomy.ts"
import { decideAction, situation } from "../decision/decide-action.ts"
import type { InstanceId } from "../model/ids.ts"
import { unreachable } from "../model/unreachable.ts"
import type { Verdict } from "../model/verdict.ts"
import type { Draft } from "../pipeline/draft.ts"
import { blockerOf } from "../pipeline/guards.ts"
import type { Fact } from "../pipeline/input.ts"
import { goOn } from "./advance.ts"
import { underway } from "./evolve-rollout.ts"
import { endPassingHold, halt, pastReturn, stand } from "./hold.ts"
import { type Budget, budgetFor } from "./ramp.ts"
import { retreat } from "./retreat.ts"
import {
  type Decision,
  type Rollout,
  regionPolicy,
  type Stage,
  type Underway,
  type Window,
} from "./rollout.ts"

type Looked = Extract<Fact, { type: "looked" }>

/** The judge has looked: the decision table says what that means, autonomy who may do it. */
export function looked(draft: Draft, fact: Looked): void {
  const rollout = draft.rollout(fact.rollout)
  const now = rollout && underway(rollout.phase)
  if (!rollout || !now || stageOf(now) !== fact.stage) return
  const verdicts =
    fact.stage === "baking" && !fact.sourceBroken ? fact.verdicts.filter(saysSomething) : fact.verdicts
  const window: Window | undefined = "window" in now ? now.window : undefined
  const over = window !== undefined && fact.observed >= window.needed * (1 + window.extensions)
  const budget = fact.sourceBroken ? undefined : budgetFor(rollout, now, verdicts)
  const decision = withinBudget(rollout, decisionFor(draft, rollout, verdicts, fact), budget)
  const due = over || (budget?.enough === true && decision.action === "advance")
  record(draft, rollout, { ...fact, verdicts }, decision, window, due)
  const current = draft.rollout(fact.rollout)
  if (current) act(draft, current, decision, { ...fact, verdicts }, window, due)
}

export function stageOf(now: Underway): Stage | undefined {
  switch (now.name) {
    case "mirroring":
      return "mirroring"
    case "shifting":
      return "shifting"
    case "provisioning":
    case "verifying":
      return now.step > 0 ? "shifting" : undefined
    case "baking":
      return "baking"
    default:
      return unreachable(now)
  }
}

/** After 100 % the comparison is over: silence holds nothing up then, only what is worse speaks. */
const saysSomething = (verdict: Verdict): boolean => verdict.kind === "ok" || verdict.kind === "worse"

function decisionFor(draft: Draft, rollout: Rollout, verdicts: readonly Verdict[], fact: Looked): Decision {
  const reversible = !pastReturn(draft, rollout)
  const chosen =
    verdicts.length === 0 && !fact.sourceBroken
      ? { action: "advance" as const, rule: "none", because: "nothing is measured here and nothing fails" }
      : decideAction(
          rollout.policy.decisions,
          situation(verdicts, {
            sourceBroken: fact.sourceBroken,
            probesFailing: failing(draft, rollout, fact.refusing ?? []),
            reversible,
          }),
        )
  const worst =
    verdicts.find((verdict) => verdict.kind === "worse" && verdict.critical) ??
    verdicts.find((v) => v.kind === "worse")
  const because = worst ? `${worst.metric}: ${worst.because}` : chosen.because
  return { ...chosen, because, autonomy: autonomyFor(rollout.policy, rollout.region, chosen.action) }
}

/** A ramp goes on as soon as its budget allows, sure or not, and never before; all else is as the table says. */
function withinBudget(rollout: Rollout, decision: Decision, budget: Budget | undefined): Decision {
  if (!budget || (decision.action !== "advance" && decision.action !== "extend")) return decision
  const action = budget.enough ? ("advance" as const) : ("extend" as const)
  const autonomy = autonomyFor(rollout.policy, rollout.region, action)
  return { action, rule: "ramp", because: budget.because, autonomy }
}

/** Independent of any monitoring: instances that die, or most that answer neither their probe nor the router. */
function failing(draft: Draft, rollout: Rollout, refusing: readonly InstanceId[]): boolean {
  const instances = Object.values(draft.region(rollout.region)?.instances ?? {}).filter(
    (instance) => instance.pool === rollout.number && !instance.retired,
  )
  const unready = instances.filter(({ state, id }) => state === "unready" || refusing.includes(id)).length
  return rollout.crashes >= 2 || (instances.length > 0 && unready * 2 > instances.length)
}

/**
 * A look is stored when it says something new, when it ends the window or sends the rollout on, and ten times a window
 * besides; past its end the rarer the longer it stands, for a person may let it stand for days.
 */
function record(
  draft: Draft,
  rollout: Rollout,
  fact: Looked,
  decision: Decision,
  window: Window | undefined,
  due: boolean,
): void {
  const last = rollout.lastLook
  const seen = window?.observed ?? 0
  const news =
    !last ||
    last.stage !== fact.stage ||
    last.decision.rule !== decision.rule ||
    last.verdicts.length !== fact.verdicts.length ||
    last.verdicts.some((verdict, i) => verdict.kind !== fact.verdicts[i]?.kind)
  const more = window !== undefined && fact.observed - seen >= Math.max(window.needed / 10, seen / 10, 1_000)
  const wasOver = window !== undefined && seen >= window.needed * (1 + window.extensions)
  const goesOn = decision.action === "advance" && blockerOf(draft.state, rollout, draft.at) === undefined
  if (!news && !more && !(due && seen < fact.observed && (!wasOver || goesOn))) return
  draft.conclude(
    {
      type: "looked",
      rollout: rollout.number,
      observed: fact.observed,
      look: {
        number: rollout.looks + 1,
        at: draft.at,
        stage: fact.stage,
        verdicts: fact.verdicts,
        decision,
        evidence: fact.evidence,
      },
    },
    decision.because,
  )
}

function act(
  draft: Draft,
  rollout: Rollout,
  decision: Decision,
  fact: Looked,
  window: Window | undefined,
  due: boolean,
): void {
  const evidence = rollout.lastLook?.evidence
  switch (decision.action) {
    case "rollback":
      if (decision.autonomy === "auto") {
        retreat(draft, rollout, { because: decision.because, automatic: true, judged: true, evidence })
      } else proposeOrWait(draft, rollout, decision)
      return
    case "halt":
      if (decision.autonomy === "auto") halt(draft, rollout, decision.because, evidence)
      else proposeOrWait(draft, rollout, decision)
      return
    case "hold":
      return hold(draft, rollout, decision, fact)
    case "extend":
      endPassingHold(draft, rollout)
      if (due && window) extend(draft, rollout, window, decision)
      return
    case "advance":
      return advance(draft, rollout, decision, due)
    default:
      return unreachable(decision.action)
  }
}

function advance(draft: Draft, rollout: Rollout, decision: Decision, due: boolean): void {
  const blocked = due ? blockerOf(draft.state, rollout, draft.at) : undefined
  if (blocked) {
    stand(draft, rollout, {
      why: blocked.why,
      because: blocked.because,
      until: blocked.until,
      then: "it goes on when that ends",
      proposal: undefined,
      weight: "frozen",
    })
    return
  }
  endPassingHold(draft, rollout)
  const current = draft.rollout(rollout.number)
  if (!due || !current || current.phase.name === "holding") return
  if (decision.autonomy === "auto") goOn(draft, current)
  else proposeOrWait(draft, current, decision)
}

/** Holds the weight: blind, in a sick world, or because the table says that a person should look. */
function hold(draft: Draft, rollout: Rollout, decision: Decision, fact: Looked): void {
  const { because } = decision
  const weight = "frozen"
  if (fact.verdicts.some(({ controlAlsoBad }) => controlAlsoBad)) {
    const then = "it goes on when the control is well again"
    stand(draft, rollout, { why: "sick-world", because, until: undefined, then, proposal: undefined, weight })
  } else if (fact.sourceBroken || fact.verdicts.some(({ kind }) => kind === "nodata")) {
    const limit = regionPolicy(rollout).compare?.blindLimit
    const until = limit === undefined ? undefined : draft.at + limit
    const then = "its traffic goes back to the old pool; nothing is locked"
    stand(draft, rollout, { why: "blind", because, until, then, proposal: undefined, weight })
  } else {
    const then = "a person approves it or rolls it back"
    stand(draft, rollout, { why: "unsure", because, until: undefined, then, proposal: "advance", weight })
  }
}

function extend(draft: Draft, rollout: Rollout, window: Window, decision: Decision): void {
  const max = regionPolicy(rollout).compare?.extensions ?? 0
  if (window.extensions < max) {
    draft.conclude(
      { type: "window-extended", rollout: rollout.number, extensions: window.extensions + 1 },
      "not enough evidence yet",
    )
    return
  }
  stand(draft, rollout, {
    why: "unsure",
    because:
      decision.rule === "ramp" ? decision.because : "still not enough evidence after the last extension",
    until: undefined,
    then: "a person approves it or rolls it back",
    proposal: "advance",
    weight: "frozen",
  })
}

/** `manual` asks a gatekeeper to apply the action; `dry-run` only writes down what it would have done. */
function proposeOrWait(draft: Draft, rollout: Rollout, decision: Decision): void {
  const manual = decision.autonomy === "manual"
  stand(draft, rollout, {
    why: "proposal",
    because: decision.because,
    until: undefined,
    then: manual
      ? `a person applies it: ${decision.action}`
      : `dry run: it would ${decision.action}; a person decides`,
    proposal: decision.action,
    weight: "frozen",
  })
}
