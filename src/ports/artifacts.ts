import type { Readable } from "node:stream"
import type { Digest } from "../core/model/ids.ts"
import type { Instant } from "../core/model/time.ts"

export type ManifestEntry =
  | {
      readonly path: string
      readonly kind: "file"
      readonly mode: number
      readonly size: number
      readonly sha256: string
    }
  | { readonly path: string; readonly kind: "link"; readonly target: string }

/** What was built, by content: equal trees have equal digests, and nothing in it ever changes. */
export interface Artifacts {
  /** Takes a folder in; its digest is the sha256 of the canonical manifest. Throws on files that cannot be part of one. */
  add(folder: string): Promise<{ readonly digest: Digest; readonly bytes: number }>
  manifest(digest: Digest): Promise<readonly ManifestEntry[]>
  /** A private read-only copy at `folder`, which must not exist yet. Throws when the digest is unknown. */
  copy(digest: Digest, folder: string): Promise<void>
}

/** What a lean tar leaves out could not be fetched; the whole one may be sent. */
export class NotFetched extends Error {}

/** Artifacts that can leave a server and come to another one. */
export interface TravellingArtifacts {
  has(digest: Digest): Promise<boolean>
  /**
   * A tar of its files. `lean`: without what the other server can fetch elsewhere, where there is such a place.
   * Throws when the digest is unknown.
   */
  pack(digest: Digest, lean?: boolean): Promise<Readable>
  /**
   * Takes a tar in. Throws when what came is not what the digest says; nothing of it is kept then. `NotFetched`: the
   * tar was lean, and what is missing in it could not be had.
   */
  unpack(digest: Digest, tar: Readable): Promise<void>
  /**
   * Removes it and answers how many bytes that freed; undefined, and nothing is removed, when it was added at or after
   * that time or the engine still uses it. What is gone already, or was never ours, frees nothing.
   */
  remove(digest: Digest, addedBefore: Instant): Promise<number | undefined>
}
