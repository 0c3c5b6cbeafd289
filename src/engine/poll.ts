import type { Application } from "../core/pipeline/application.ts"
import type { Input } from "../core/pipeline/input.ts"
import type { Parts } from "./parts.ts"

/** Commits that one look takes in; the newest win anyway. */
const mostAtOnce = 20

/** Looks at the repository; what is new there becomes inputs, oldest first. Throws when it cannot be read. */
export async function newCommits(
  parts: Parts,
  app: Application,
  signal: AbortSignal,
): Promise<readonly Input[]> {
  const head = await parts.source.head(app.source, signal)
  if (app.commits.some((known) => known.id === head)) return []
  const since = app.commits.at(-1)?.id
  const found = await parts.source.commits(app.source, since, head, mostAtOnce, signal)
  const pins = await parts.policies.get(app.app)
  const at = parts.clock.now()
  return found
    .filter((commit) => !app.commits.some((known) => known.id === commit.commit))
    .map(
      (commit): Input => ({
        type: "commit-seen",
        at,
        by: "immunity",
        commit: commit.commit,
        subject: commit.subject,
        author: commit.author,
        email: commit.email,
        committedAt: commit.committedAt,
        changed: commit.changed,
        config: parts.readPolicy(commit.config, pins, app.app, at),
      }),
    )
}
