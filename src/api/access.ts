import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import type { FastifyRequest } from "fastify"
import { ApiError } from "./parts.ts"

/** Another site's page must not act with what this browser knows. */
export function sameOrigin(request: FastifyRequest): void {
  const site = request.headers["sec-fetch-site"]
  const { origin, host } = request.headers
  const foreign =
    (site !== undefined && site !== "same-origin" && site !== "none") ||
    (origin !== undefined && origin !== "null" && URL.parse(origin)?.host !== host)
  if (foreign) throw new ApiError("cross-origin", "changes are accepted from Immunity's own pages only")
}

/**
 * Allows measurements and nothing else: instances run code of any commit and must not hold the token. Follows from
 * it, so that control planes that share the one share the other.
 */
export const pushToken = (token: string): string =>
  createHmac("sha256", token).update("immunity measurements").digest("base64url")

export function authorise(request: FastifyRequest, ...tokens: readonly string[]): void {
  const header = request.headers.authorization
  const given = header?.startsWith("Bearer ") ? header.slice("Bearer ".length) : cookieOf(request)
  if (given === undefined) {
    throw new ApiError(
      "no-token",
      "a token is needed to change anything: it stands in the file `token` of the server's data folder",
    )
  }
  if (!tokens.some((token) => sameText(given, token)))
    throw new ApiError(
      "wrong-token",
      "this token is not valid; it may belong to another server or an earlier start",
    )
}

/** The token that a browser got by signing in. */
function cookieOf(request: FastifyRequest): string | undefined {
  const found = /(?:^|;\s*)immunity=([A-Za-z0-9_-]+)/.exec(request.headers.cookie ?? "")
  return found?.[1]
}

/** Whether this browser may give orders. */
export function signedIn(request: FastifyRequest, token: string): boolean {
  const given = cookieOf(request)
  return given !== undefined && sameText(given, token)
}

/** Compares without telling, by its time, how much was right. */
export function sameText(a: string, b: string): boolean {
  const hash = (text: string) => createHash("sha256").update(text).digest()
  return timingSafeEqual(hash(a), hash(b))
}

/**
 * What can be shown, on one line. Joiners alone are invisible and belong to a name: between letters of scripts that are
 * written with them, as Persian and Hindi. In others they would make two names that look the same.
 */
const nameForm =
  /^(?=.*\S)(?:[^\p{C}\p{Zl}\p{Zp}]|(?<=[[\p{L}\p{M}]--[\p{sc=Latn}\p{sc=Grek}\p{sc=Cyrl}\p{sc=Zinh}]])[\u200c\u200d](?=[\p{L}--[\p{sc=Latn}\p{sc=Grek}\p{sc=Cyrl}]])){1,80}$/v

/**
 * Whose name stands in the journal for a request: of any script, percent-encoded where a header could not hold it.
 * A name that could not be shown is refused, since an order must not be written down as somebody else's.
 */
export function actorOf(request: FastifyRequest): string {
  const given = request.headers["x-immunity-actor"]
  if (given === undefined) return "operator"
  const name = decoded(String(given))
  if (name === undefined || !nameForm.test(name))
    throw new ApiError(
      "bad-request",
      "x-immunity-actor is not a name: one line of at most 80 characters, percent-encoded where they are not ASCII",
    )
  return name
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
