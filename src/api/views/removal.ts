import { shortCommit } from "../../core/model/ids.ts"
import type { Application, Removed } from "../../core/pipeline/application.ts"
import { placesOf } from "../../core/pipeline/places.ts"
import { addAgain, whyNotRemoved } from "../../core/pipeline/remove.ts"
import type { AppSummary, AppView } from "../contract/views.ts"

/** What removing an application will do; shown before anybody orders it. */
export function removalView(app: Application): AppView["removal"] {
  const refused = whyNotRemoved(app)
  return { consequences: consequencesOf(app), ...(refused === undefined ? {} : { refused }) }
}

function consequencesOf(app: Application): string[] {
  const running = instancesOf(app)
  const serving = app.regions.flatMap(({ name, policy, stable, active }) => {
    const shown = stable ?? active
    const release = shown === undefined ? undefined : app.rollouts[shown]?.release
    if (release === undefined) return []
    const whom = policy.production ? ", and its users reach nobody any more" : ""
    return [`${name}: its address ${policy.listen} closes${whom} (${shortCommit(release)} serves there)`]
  })
  const waiting = app.regions.flatMap(({ active, name }) =>
    active === undefined ? [] : [`rollout ${active} at ${name} is cancelled`],
  )
  return [
    ...serving,
    ...waiting,
    running === 0
      ? "nothing of it runs"
      : `${running} instance${running === 1 ? "" : "s"} on ${serversOf(app).join(", ")} finish what they answer and are ended; what they kept in their folders is gone`,
    "its artifacts are removed from the servers within an hour; its commits are not looked at any more",
    "its configuration, locks and blocked releases are forgotten; what was pinned for its name is not",
    "its history stays: timeline, rollouts and evidence can be read; the name may be added again, and begins anew",
  ]
}

export const removedView = ({ removed }: Application): AppView["removed"] =>
  removed && { at: removed.at, by: removed.by, reason: removed.reason, endedAt: removed.clearedAt }

/** Where one that was removed stands. */
export function standingRemoved(
  app: Application,
  { at, by, reason, clearedAt }: Removed,
): Pick<AppSummary, "sentence" | "todo"> {
  const left = instancesOf(app)
  if (clearedAt === undefined)
    return {
      sentence: `Being removed by ${by} (${reason}): ${left} instance${left === 1 ? " is" : "s are"} not gone yet.`,
      todo: "No user is sent there any more. You need to do nothing right now.",
    }
  const day = new Date(at).toISOString().slice(0, 16).replace("T", " ")
  return {
    sentence: `Removed by ${by} on ${day} UTC: ${reason}. Nothing of it runs.`,
    todo: `Its history can still be read. ${addAgain(app.app)}`,
  }
}

const running = (app: Application) => placesOf(app).flatMap(({ instances }) => Object.values(instances))
const instancesOf = (app: Application): number => running(app).length
const serversOf = (app: Application): readonly string[] =>
  [...new Set(running(app).map(({ server }) => server))].sort()
