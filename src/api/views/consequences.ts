import { shortCommit } from "../../core/model/ids.ts"
import type { Instant } from "../../core/model/time.ts"
import type { Application } from "../../core/pipeline/application.ts"
import { placeToGo } from "../../core/rollout/retreat.ts"
import { type Rollout, regionPolicy } from "../../core/rollout/rollout.ts"
import { instancesFor } from "../../core/rollout/schedule.ts"
import { costView } from "./cost.ts"
import { percent } from "./words.ts"

/** What an order on a rollout will do, one sentence each, with names and numbers; shown before anybody gives it. */
export function consequencesOf(app: Application, rollout: Rollout, action: string, at: Instant): string[] {
  const commit = shortCommit(rollout.release)
  const { region, phase } = rollout
  switch (action) {
    case "approve":
      return phase.name === "holding"
        ? [`what waits is applied at ${region}: ${phase.hold.proposal ?? "it goes on"}`, ...voidWhen]
        : [...goesOn(rollout, commit), ...costView(app, rollout, at).says, ...voidWhen]
    case "reject":
      return [`${commit} is not deployed at ${region}; nothing changes for users`]
    case "halt":
      return [...trafficBack(app, rollout), `its instances stay for whoever looks`, ...locks(rollout, "halt")]
    case "rollback":
      return [
        ...trafficBack(app, rollout),
        ...elsewhere(app, rollout),
        `${commit} is blocked: it is not deployed again by itself`,
        ...locks(rollout, "rollback"),
        ...irreversible(app, rollout),
      ]
    case "resume":
      return [`${commit} goes on at ${region} from where it stands, judged as before`]
    case "retry":
      return [
        `a new attempt (number ${rollout.attempt + 1}) of the same artifact starts at ${region}`,
        `${commit} is no longer blocked`,
      ]
    default:
      return []
  }
}

const voidWhen = ["the approval holds for exactly this artifact, configuration and evidence"]

function goesOn(rollout: Rollout, commit: string): string[] {
  const { region, schedule } = rollout
  const { size, servers } = regionPolicy(rollout)
  const first = schedule[0]
  const count = first ? instancesFor(first, size) : size
  const shares = schedule.map(({ weight }) => percent(weight)).join(", then ")
  return [
    `${commit} gets ${count} fresh instance${count === 1 ? "" : "s"} at ${region} (${servers.join(", ")})`,
    `when they pass their tests, ${shares} of its users`,
    "what is worse than today is taken back by itself, as far as its autonomy allows",
  ]
}

function trafficBack(app: Application, rollout: Rollout): string[] {
  if (!rollout.hadTraffic) return [`${rollout.region}: no user meets it; its instances are ended`]
  const to = placeToGo(app, rollout)
  const release = to === undefined ? undefined : app.rollouts[to]?.release
  return release === undefined
    ? [`${rollout.region}: there is no older release to go back to; its weight stays`]
    : [`${rollout.region}: all traffic goes back to ${shortCommit(release)} at once`]
}

/** Other production regions go back with it when the policy says so. */
function elsewhere(app: Application, rollout: Rollout): string[] {
  if (rollout.policy.rollback.scope !== "production" || !regionPolicy(rollout).production) return []
  return app.regions.flatMap(({ name, stable, policy }) => {
    const there = stable === undefined ? undefined : app.rollouts[stable]
    if (name === rollout.region || !policy.production || there?.release !== rollout.release) return []
    return trafficBack(app, there)
  })
}

function locks(rollout: Rollout, on: "halt" | "rollback"): string[] {
  const { lock, app } = rollout.policy
  if (!lock.on.includes(on) || !(rollout.hadTraffic || on === "halt")) return []
  const what = lock.scope === "app" ? app : rollout.region
  return [`${what} is locked: nothing new starts until a person releases it with a reason`]
}

function irreversible(app: Application, rollout: Rollout): string[] {
  if (!app.releases[rollout.release]?.irreversible) return []
  const globs = rollout.policy.rollback.irreversible.join(", ")
  return [`CAREFUL: it touches ${globs}; make sure that the old release can live with what it changed`]
}
