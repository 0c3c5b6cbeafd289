import { hash } from "node:crypto"
import { canonicalJson } from "../core/model/canonical-json.ts"
import type { StoredEvent } from "../ports/journal.ts"
import type { Damage } from "./errors.ts"

/** What stands before the first event of a stream. */
export const chainStart = "0".repeat(64)

/** The part of an event that its hash covers; `body` is the canonical JSON of the event itself. */
export type Link = {
  readonly stream: string
  readonly version: number
  readonly at: number
  readonly by: string
  readonly because: string
  readonly body: string
}

/** sha256 (hex) over the canonical JSON of { at, because, by, event, stream, version }, then the hash before it. */
export function chainHash(link: Link, previous: string): string {
  const { stream, version, at, by, because, body } = link
  // Spelled out in sorted order, so that a stored body is hashed as it lies there, without being parsed.
  const canonical =
    `{"at":${canonicalJson(at)},"because":${JSON.stringify(because)},"by":${JSON.stringify(by)},` +
    `"event":${body},"stream":${JSON.stringify(stream)},"version":${version}}`
  return hash("sha256", canonical + previous)
}

/**
 * Checks one whole stream, from version 1 on, as anyone can who was given its events. The first place where
 * it breaks, or undefined. Events missing at the end cannot be seen from the stream alone.
 */
export function verifyChain(events: readonly StoredEvent[]): Damage | undefined {
  let previous = chainStart
  let version = 0
  for (const stored of events) {
    version += 1
    const { stream, at, by, because, hash } = stored
    const body = canonicalJson(stored.event)
    const damage = checkLink(
      { stream, version: stored.version, at, by, because, body, hash, previous: undefined },
      { stream: events[0]?.stream ?? stream, version, previous },
    )
    if (damage) return damage
    previous = hash
  }
  return undefined
}

type Found = Link & { readonly hash: string; readonly previous: string | undefined }
type Expected = { readonly stream: string; readonly version: number; readonly previous: string }

/** Whether an event is the one that must follow. */
export function checkLink(found: Found, expected: Expected): Damage | undefined {
  const { stream, version } = expected
  if (found.stream !== stream || found.version !== version)
    return {
      stream,
      version,
      because: `it is missing; version ${found.version} of ${found.stream} stands in its place`,
    }
  if (found.previous !== undefined && found.previous !== expected.previous)
    return { stream, version, because: "it does not follow from the event before it" }
  if (chainHash(found, expected.previous) !== found.hash)
    return { stream, version, because: "it does not match its hash, so it or an event before it was changed" }
  return undefined
}
