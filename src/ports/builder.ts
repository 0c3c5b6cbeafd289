import type { CommitId, Digest } from "../core/model/ids.ts"
import type { Origin } from "../core/model/origin.ts"
import type { Duration } from "../core/model/time.ts"

export type BuildOrder = {
  readonly job: string
  readonly commit: CommitId
  readonly origin?: Origin | undefined
  /** A folder with the tree at the commit; one use, removed afterwards. */
  readonly workspace: string
  /** A folder beside it for HOME and temporary files: what lands there is no part of the artifact. One use too. */
  readonly scratch: string
  readonly command: string | undefined
  readonly output: string
  readonly network: "none" | "allowed"
  readonly timeout: Duration
}

export type Built =
  | { readonly kind: "built"; readonly digest: Digest; readonly bytes: number }
  | { readonly kind: "failed"; readonly because: string }

/** Makes an immutable artifact from a tree, confined. */
export interface Builder {
  build(order: BuildOrder, log: (chunk: Uint8Array) => void, signal: AbortSignal): Promise<Built>
}
