import { fractionOf } from "../model/chance.ts"
import type { PlannedFailure } from "../model/planned-failure.ts"
import type { FailurePolicy } from "../model/policy.ts"
import type { Instant } from "../model/time.ts"
import { regionPolicy } from "../rollout/rollout.ts"
import type { Application, Instance, Region } from "./application.ts"
import type { Draft } from "./draft.ts"
import { isWithin, strengthOf, unrest } from "./rest.ts"

/**
 * Ends instances on purpose, one at a time over the whole application, only while it is at rest: whoever does not
 * survive that is told now and not by a real failure. What is to happen follows from the state, the time and a seed.
 */
export function planFailures(draft: Draft): void {
  for (const { name } of draft.state.regions) {
    const region = draft.region(name)
    if (region) follow(draft, region)
  }
  const { state } = draft
  if (state.drill || state.regions.some((region) => open(region))) return
  const due = state.regions.flatMap((region) => dueIn(draft, region) ?? [])
  const [first] = due
  if (!first || unrest(draft) !== undefined) return
  strike(draft, first)
}

/** The one whose end is not known yet. */
export const open = ({ failures }: Region): PlannedFailure | undefined => {
  const last = failures?.[0]
  return last && !last.end ? last : undefined
}

function follow(draft: Draft, region: Region): void {
  const failure = open(region)
  if (!failure) return
  const at = { region: region.name, instance: failure.instance }
  if (region.stable !== failure.pool && !region.kept.includes(failure.pool)) {
    draft.conclude(
      { type: "failure-passed", ...at, full: false, tookMs: draft.at - failure.at },
      "another release serves here now",
    )
    return
  }
  const { ready, size } = strengthOf(draft.state, region, failure.pool)
  const still = region.instances[failure.instance]
  if (ready >= size && (!still || still.retired)) {
    const tookMs = draft.at - failure.at
    draft.conclude(
      { type: "failure-passed", ...at, full: true, tookMs },
      `at full strength again after ${Math.round(tookMs / 100) / 10} s`,
    )
    return
  }
  const { deadline } = region.policy
  if (failure.late !== undefined || draft.at < failure.at + deadline) return
  draft.conclude(
    { type: "strength-missing", ...at, ready, size },
    `${ready} of ${size} instances ${Math.round(deadline / 1_000)} s after one was ended on purpose: a real failure would find it like this`,
  )
}

type Due = { readonly region: Region; readonly kind: PlannedFailure["kind"]; readonly instance: Instance }

function dueIn(draft: Draft, region: Region): Due | undefined {
  const policy = policyFor(draft.state, region)
  if (!policy || !isWithin(policy.between, draft.at, draft.limits.local)) return undefined
  const aged = oldest(region, policy, draft.at)
  if (aged) return { region, kind: "age", instance: aged }
  const next = nextKillAt(draft.state, region)
  if (next === undefined || draft.at < next) return undefined
  const ready = Object.values(region.instances).filter(
    ({ pool, state, retired, condemned }) =>
      pool === region.stable && state === "ready" && !retired && !condemned,
  )
  const chosen = ready[Math.floor(fractionOf(`${seedOf(draft.state, region)}/who`) * ready.length)]
  // Never the last one: whoever has one instance only finds out nothing, and its users everything.
  return chosen && ready.length > 1 ? { region, kind: "kill", instance: chosen } : undefined
}

function strike(draft: Draft, { region, kind, instance }: Due): void {
  const at = { region: region.name, instance: instance.id }
  const why =
    kind === "age" ? "it has reached its maximum age" : "a planned failure: what runs must survive its end"
  draft.conclude({ type: "failure-planned", ...at, pool: instance.pool, kind }, why)
  if (kind === "age")
    draft.conclude({ type: "instance-condemned", ...at, because: why, freshFirst: true }, why)
  else draft.conclude({ type: "instance-retired", ...at, because: why }, why)
}

/** What its serving release says of planned failures; undefined: none here. */
export function policyFor(app: Application, region: Region): FailurePolicy | undefined {
  const rollout = region.stable === undefined ? undefined : app.rollouts[region.stable]
  return rollout && regionPolicy(rollout).failures !== false ? rollout.policy.failures : undefined
}

function oldest(region: Region, { maxAge }: FailurePolicy, at: Instant): Instance | undefined {
  if (maxAge === undefined) return undefined
  return Object.values(region.instances)
    .filter(({ requestedAt }) => at >= requestedAt + maxAge)
    .sort((a, b) => a.requestedAt - b.requestedAt)[0]
}

/** At the earliest after `every`, at the latest a quarter later, so that nobody knows the moment. */
export function nextKillAt(app: Application, region: Region): Instant | undefined {
  const every = policyFor(app, region)?.every
  if (every === undefined || region.stable === undefined) return undefined
  const last = region.failures?.find(({ kind }) => kind === "kill")
  const since = Math.max(last?.end?.at ?? last?.at ?? 0, app.rollouts[region.stable]?.endedAt ?? 0)
  return since + every * (1 + fractionOf(seedOf(app, region)) / 4)
}

const seedOf = (app: Application, region: Region): string =>
  `${app.app}/${region.name}/${region.failures?.[0]?.at ?? 0}/${region.stable ?? 0}`
