import type { CommitId, Digest, JobId } from "../core/model/ids.ts"
import type { Instant } from "../core/model/time.ts"
import type { RegistryCopy } from "./containers.ts"

/** Where an image came from: enough to ask whether it is what it says, and to build it again. */
export type Provenance = {
  readonly image: Digest
  readonly commit: CommitId
  readonly job: JobId
  /** The tree that was handed to the engine, by content. */
  readonly tree: Digest
  readonly command?: string | undefined
  readonly network: "none" | "allowed"
  /** What the names after FROM meant when it was built. */
  readonly bases: readonly { readonly name: string; readonly digest?: Digest | undefined }[]
  readonly engine: string
  readonly builtAt: Instant
  /** Where servers may fetch it; absent: from each other alone. */
  readonly registry?: RegistryCopy | undefined
}

/** What a server knows of where its images came from. An image of which it knows nothing does not run there. */
export interface Provenances {
  of(image: Digest): Promise<Provenance | undefined>
  remember(provenance: Provenance): Promise<void>
  /** From now on the image does not run here. */
  forget(image: Digest): Promise<void>
  /** The images that were built from a tree. */
  from(tree: Digest): Promise<readonly Digest[]>
  /** Takes what another server tells; throws, with what is wrong, when it is not told as it should be. */
  read(told: string): Provenance
}
