import type { Digest } from "../core/model/ids.ts"

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
