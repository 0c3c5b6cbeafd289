import type { Readable } from "node:stream"
import type { CommitId } from "../core/model/ids.ts"
import type { Instant } from "../core/model/time.ts"
import type { Source } from "../core/pipeline/application.ts"

export type SeenCommit = {
  readonly commit: CommitId
  readonly subject: string
  readonly author: string
  readonly email: string
  readonly committedAt: Instant
  /** Paths that differ from the commit before it; of the oldest of several, from what was known before. */
  readonly changed: readonly string[]
  /** The text of immunity.yaml at that commit; undefined when there is none. */
  readonly config: string | undefined
}

/** Where commits come from. Nothing of a repository is ever run here. */
export interface CommitSource {
  /** The newest commit of the branch. Throws, with a sentence, when the repository cannot be read. */
  head(source: Source, signal: AbortSignal): Promise<CommitId>
  /** Commits after `since` up to `head` on the branch, oldest first, at most `limit` newest ones; only the head when `since` is unknown. */
  commits(
    source: Source,
    since: CommitId | undefined,
    head: CommitId,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly SeenCommit[]>
  /** A tar of the tree at exactly this commit (`git archive`). */
  archive(source: Source, commit: CommitId, signal: AbortSignal): Promise<Readable>
}
