import type { Duration, Instant } from "../core/model/time.ts"
import type { Application } from "../core/pipeline/application.ts"
import type { Input } from "../core/pipeline/input.ts"
import type { Parts } from "./parts.ts"

/** Commits that one look takes in; the newest win anyway. */
const mostAtOnce = 20

/**
 * A round of questions to all repositories at rest takes so long for each of the first few applications, and longer for
 * those past them: a question is a process, or several, and ten milliseconds of a core.
 */
const apart: Duration = 500
const few = 50
const apartOfMany: Duration = 2_000

const roundOf = (apps: number): Duration =>
  Math.min(apps, few) * apart + Math.max(0, apps - few) * apartOfMany

/**
 * How long to wait before the next look at a repository: the longer nothing came, the longer, and at rest so long that
 * all together are asked at a steady rate however many they are. A webhook's hint does not wait. `foundAt`: the newest
 * commit was.
 */
export function pollPause(
  foundAt: Instant | undefined,
  { clock, pace }: Pick<Parts, "clock" | "pace">,
  apps: number,
): Duration {
  const quietFor = clock.now() - (foundAt ?? 0)
  return Math.max(pace.poll, Math.min(quietFor / 20, roundOf(apps)))
}

/** Looks at the repository; what is new there becomes inputs, oldest first. Throws when it cannot be read. */
export async function newCommits(
  parts: Parts,
  app: Application,
  signal: AbortSignal,
): Promise<readonly Input[]> {
  // It is only just being added.
  if (app.source.url === "") return []
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
        source: app.source,
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
