import type { CommitSource, SeenCommit } from "../../ports/source.ts"
import { readCommitId } from "./git-address.ts"
import { defaultLimits, type GitLimits } from "./git-limits.ts"
import { archiveOf, commitsBetween, hasCommit, lookAt } from "./git-mirror.ts"
import { Mirrors } from "./git-mirrors.ts"

export type GitSourceOptions = {
  /** Where the mirrors are kept. */
  readonly dir: string
  readonly limits?: Partial<GitLimits> | undefined
}

/**
 * Commits of git repositories, each kept as a bare mirror under `dir`. Only git itself runs, with none of the
 * repository's own settings, hooks or filters. Of a branch that was rewritten come the commits that the last
 * known one does not have.
 */
export function gitSource(options: GitSourceOptions): CommitSource {
  const mirrors = new Mirrors(options.dir, { ...defaultLimits, ...options.limits })
  return {
    head: (source, signal) => mirrors.head(source, signal),

    async commits(source, since, head, limit, signal) {
      const mirror = await mirrors.having(source, readCommitId(head), signal)
      const from = since === undefined ? undefined : readCommitId(since)
      const known = from !== undefined && (await hasCommit(mirror, from, signal))
      const ids = known ? await commitsBetween(mirror, from, head, limit, signal) : [head]
      const seen: SeenCommit[] = []
      // A push may be longer than the limit: what is left out must not hide a migration that it brought.
      for (const id of ids)
        seen.push(await lookAt(mirror, id, signal, known && id === ids[0] ? from : undefined))
      return seen
    },

    async archive(source, commit, signal) {
      const mirror = await mirrors.having(source, readCommitId(commit), signal)
      return archiveOf(mirror, commit, signal)
    },
  }
}
