import { commitOf } from "../../core/model/configuration.ts"
import { shortCommit } from "../../core/model/ids.ts"
import type { Application, Quarantine } from "../../core/pipeline/application.ts"
import { newestRelease } from "../../core/pipeline/newest-release.ts"

/** Why the newest commit gets nowhere, for the sentence about its application. */
type Stuck = {
  /** `the newest commit 9c11e0d "faster" is refused: …`, without a full stop. */
  readonly sentence: string
  /** What a person does about it, in whole sentences. */
  readonly todo: string
  /** In a word. */
  readonly word: string
  /** It was tried and found bad; not merely unreadable or not built. */
  readonly blocked: boolean
}

/** Undefined while it is on its way or has arrived. */
export function stuckNewest(app: Application): Stuck | undefined {
  const commit = app.commits.at(-1)
  if (!commit) return undefined
  const { state } = commit
  const name = `the newest commit ${shortCommit(commit.id)} "${shortened(commit.subject, 60)}"`
  if (state.name === "refused") {
    const [first = "its immunity.yaml is not valid", ...others] = state.problems
    const [what = first, ...how] = first.split("; ")
    const more = others.length > 0 ? ` (and ${others.length} more)` : ""
    return {
      sentence: `${name} is refused: ${shortened(what, 300)}${more}`,
      todo: `What runs stays as it is. ${wayOut(how.join("; "))}Mend immunity.yaml, check it with \`immunity validate\`, commit and push: the next commit is read by itself.`,
      word: "Refused",
      blocked: false,
    }
  }
  if (state.name === "failed")
    return {
      sentence: `${name} could not be built: ${shortened(state.because, 300)}`,
      todo: `What runs stays as it is. See why with \`immunity logs ${state.job}\`, then push what mends it.`,
      word: "Not built",
      blocked: false,
    }
  const release = newestRelease(app, ({ id }) => commitOf(id) === commit.id)
  const blocked = release && app.quarantine[release.id]
  const serves =
    release &&
    app.regions.some(
      ({ policy, stable }) =>
        policy.production && stable !== undefined && app.rollouts[stable]?.release === release.id,
    )
  if (!blocked || serves) return undefined
  const look =
    blocked.rollout === undefined ? "" : `See why with \`immunity why ${app.app}#${blocked.rollout}\`, then p`
  return {
    sentence: `${name} is blocked: ${shortened(whyBlocked(app, blocked), 300)}`,
    todo: `What runs stays as it is. ${look || "P"}ush what mends it.`,
    word: "Blocked",
    blocked: true,
  }
}

/** The rollout that failed says more than that it failed. */
function whyBlocked(app: Application, { rollout, because }: Quarantine): string {
  const ended = rollout === undefined ? undefined : app.rollouts[rollout]
  if (!ended || !("because" in ended.phase)) return because
  const how = ended.phase.name === "rolled-back" ? "taken back at" : "failed at"
  return `${how} ${ended.region}: ${ended.phase.because}`
}

/** What a problem says after its first clause is what to do about it. */
const wayOut = (text: string): string =>
  text === "" ? "" : `${text.slice(0, 1).toUpperCase()}${text.slice(1)}. `

const shortened = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most)}…` : text
