import { shortCommit } from "../../core/model/ids.ts"
import type { Application, Removed } from "../../core/pipeline/application.ts"
import { placesOf } from "../../core/pipeline/places.ts"
import { addAgain, whyNotRemoved } from "../../core/pipeline/remove.ts"
import type { AppSummary, AppView } from "../contract/views.ts"

/** What removing an application will do; shown before anybody orders it. `problems`: by part. */
export function removalView(app: Application, problems: ReadonlyMap<string, string>): AppView["removal"] {
  const refused = whyNotRemoved(app, problems.get("kill switch"))
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
  const building = app.commits.flatMap(({ id, state }) =>
    state.name === "building" ? [`the build of ${shortCommit(id)} is given up`] : [],
  )
  return [
    ...serving,
    ...waiting,
    ...building,
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

/** Where one that was removed stands. `problems`: by part. */
export function standingRemoved(
  app: Application,
  { at, by, reason, clearedAt }: Removed,
  problems: ReadonlyMap<string, string>,
): Pick<AppSummary, "sentence" | "todo"> {
  const left = instancesOf(app)
  if (clearedAt === undefined)
    return {
      sentence: `Being removed by ${by} (${reason}): ${left} instance${left === 1 ? " is" : "s are"} not gone yet.`,
      todo: waitsFor(app, problems),
    }
  const day = new Date(at).toISOString().slice(0, 16).replace("T", " ")
  return {
    sentence: `Removed by ${by} on ${day} UTC: ${reason}. Nothing of it runs.`,
    todo: `Its history can still be read. ${addAgain(app.app)}`,
  }
}

/** What is told of users is what routers said, not what was ordered of them. */
function waitsFor(app: Application, problems: ReadonlyMap<string, string>): string {
  const open = running(app).filter(({ released }) => !released).length
  const users =
    open === 0
      ? "No user is sent there any more."
      : `Not every router has let go of ${open === 1 ? "one" : open} of them yet: users may still be sent there.`
  const killed = problems.get("kill switch")
  if (killed !== undefined) return `${users} It waits, as ${killed}; lift it, and it goes on.`
  const servers = [...problems.keys()].flatMap((part) => part.match(/^server (.+)$/)?.[1] ?? [])
  if (open > 0 && servers.length > 0)
    return `${users} It waits for ${servers.join(", ")}; the problems say what is wrong there.`
  return `${users} You need to do nothing right now.`
}

const running = (app: Application) => placesOf(app).flatMap(({ instances }) => Object.values(instances))
const instancesOf = (app: Application): number => running(app).length
const serversOf = (app: Application): readonly string[] =>
  [...new Set(running(app).map(({ server }) => server))].sort()
