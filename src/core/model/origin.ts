import type { Instant } from "./time.ts"

/** What is said of where an artifact's commit is from; each absent when it cannot be told. */
export type Origin = {
  /** A URL that others can follow, without credentials: it is written where everybody reads it. */
  readonly source?: string | undefined
  readonly committedAt?: Instant | undefined
}

/** The last moment of the year 9999: what comes later has no date that others can read. */
const lastInstant = 253_402_300_799_999

/** A repository by its git URL, and when a commit of it was made, whatever its author's clock said. */
export const originOf = (url: string, at: Instant): Origin => ({
  source: publicUrl(url),
  committedAt: Number.isInteger(at) && at >= 0 && at <= lastInstant ? at : undefined,
})

/**
 * Undefined for what means something on one machine alone, a path or a file; and for what still has an @ behind its
 * host, for then somebody's password was not written as URLs want it, or a sign that means something to a shell.
 */
function publicUrl(url: string): string | undefined {
  const [, scheme, rest] =
    /^(https?|ssh|git):\/\/(?:[^/?#]*@)?([^\s?#@$"'`\\]+)(?:[?#][^@]*)?$/i.exec(url) ?? []
  if (scheme && rest) return shortEnough(`${scheme.toLowerCase()}://${rest}`)
  // As git writes it for ssh: user@host:path.
  const [, host, path] = /^(?:[\w.-]+@)([\w.-]+):(?!\/\/)\/?([^\s?#@$"'`\\]+)$/.exec(url) ?? []
  return host && path ? shortEnough(`ssh://${host}/${path}`) : undefined
}

const shortEnough = (url: string): string | undefined => (url.length <= 2_000 ? url : undefined)
