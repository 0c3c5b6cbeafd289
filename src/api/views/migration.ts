import { shortCommit } from "../../core/model/ids.ts"
import type { Application } from "../../core/pipeline/application.ts"
import { contractWait, noWayBack } from "../../core/pipeline/migrations.ts"
import { type Rollout, terminal } from "../../core/rollout/rollout.ts"
import type { MigrationView, RolloutSummary } from "../contract/views.ts"
import { spoken } from "./words.ts"

export const kindOf = ({ migrations }: Rollout): MigrationView["kind"] | undefined =>
  migrations && (migrations.contract.length > 0 ? "contract" : "expand")

/** What a rollout does to what releases share, and how long both must bear each other. */
export function migrationOf(app: Application, rollout: Rollout): MigrationView | undefined {
  const kind = kindOf(rollout)
  if (!rollout.migrations || kind === undefined) return undefined
  const back = noWayBack(app, rollout, 0)
  return {
    kind,
    paths: [...rollout.migrations.contract, ...rollout.migrations.expand],
    shared: [...(rollout.policy.migrations?.shared ?? [])],
    window: windowOf(app, rollout),
    ...(back === undefined || app.override ? {} : { noWayBack: back }),
    waitsForKept: rollout.phase.name === "queued" ? [...(contractWait(app, rollout)?.kept ?? [])] : [],
  }
}

function windowOf(app: Application, rollout: Rollout): string {
  const own = shortCommit(rollout.release)
  const before = rollout.from === undefined ? undefined : app.rollouts[rollout.from]?.release
  const old = before === undefined ? "the release before" : shortCommit(before)
  const region = app.regions.find(({ name }) => name === rollout.region)
  if (rollout.phase.name === "queued") return `${own} and ${old} will run together while it rolls out`
  if (!terminal(rollout.phase)) return `${own} and ${old} run together until it has succeeded or gone back`
  const kept = rollout.from !== undefined && region?.kept.includes(rollout.from)
  const { window } = rollout.policy.migrations ?? {}
  if (rollout.phase.name === "succeeded" && kept)
    return window === undefined
      ? `${old} is kept for a swap back: what both share must suit both until it is given up`
      : `${old} is kept for a swap back: what both share must suit both for ${spoken(window)} after it succeeded`
  return `${old} no longer runs here`
}

/** Of a queued rollout whose contract step would break what could still serve. */
export function contractWaitOf(app: Application, rollout: Rollout): RolloutSummary["wait"] {
  const { phase } = rollout
  const wait = phase.name === "queued" ? contractWait(app, rollout) : undefined
  if (!wait || phase.name !== "queued") return undefined
  return { for: wait.because, since: phase.since, until: wait.until, then: wait.then }
}
