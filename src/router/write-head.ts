import type { Field } from "./fields.ts"
import type { Framing } from "./framing.ts"
import type { RequestHead } from "./request-head.ts"
import type { ResponseHead } from "./response-head.ts"

/** Fields that concern one connection only; they are said anew on the other side. */
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "transfer-encoding",
  "upgrade",
])

/** What says how long a message is and whom it is for stays, whatever Connection claims. */
const neverNamed = new Set(["host", "content-length", "transfer-encoding"])

/** Fields that only the router says. */
const ours = new Set(["x-immunity-router", "x-immunity-pool"])

/** Fields that may not come after the body: they change what the message was taken for. */
const neverTrailer = new Set([
  "content-length",
  "host",
  "trailer",
  "content-encoding",
  "content-type",
  "content-range",
  "authorization",
  "set-cookie",
  "cookie",
  "expect",
  "cache-control",
])

export type Origin = {
  /** Of the client; undefined when it is gone already. */
  readonly address: string | undefined
  /** Where the client came in, for those that do not say a host. */
  readonly listener: string
  readonly isSecure?: boolean
  readonly requestId: string
}

/** A request as it goes to an instance: written anew, always HTTP/1.1, never the bytes of the client. */
export function writeRequestHead(head: RequestHead, origin: Origin): string {
  const host = head.host ?? origin.listener
  let text = `${head.method} ${head.target} HTTP/1.1\r\nHost: ${host}\r\n`
  let forwardedFor = ""
  let requestId = origin.requestId
  const named = head.connection.some((one) => one !== "keep-alive" && one !== "close")
    ? head.connection
    : nothing
  for (const { lower, value, line, isPlain } of head.fields) {
    if (isPlain) {
      if (!isNamed(lower, named)) text += line
      continue
    }
    switch (lower) {
      case "host":
      case "content-length":
      case "x-forwarded-host":
      case "x-forwarded-proto":
        continue
      case "x-forwarded-for":
        forwardedFor = forwardedFor === "" ? value : `${forwardedFor}, ${value}`
        continue
      case "x-request-id":
        requestId = value
        continue
    }
    if (!hopByHop.has(lower) && !isNamed(lower, named)) text += line
  }
  text += framingLine(
    head.framing,
    head.method !== "GET" && head.method !== "HEAD" && head.method !== "OPTIONS",
  )
  const client = origin.address ?? "unknown"
  text += `X-Forwarded-For: ${forwardedFor === "" ? client : `${forwardedFor}, ${client}`}\r\n`
  text += `X-Forwarded-Proto: ${origin.isSecure ? "https" : "http"}\r\nX-Forwarded-Host: ${host}\r\nX-Request-Id: ${requestId}\r\n`
  if (head.upgrade !== undefined) text += `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n`
  return `${text}\r\n`
}

/** The copy of a read-only request; who copies has taken out of it what says who asks. */
export const writeMirrorHead = (head: RequestHead, origin: Origin): string =>
  `${writeRequestHead(head, origin).slice(0, -2)}X-Mirror: 1\r\n\r\n`

export type AnswerShape = {
  /** How the body goes to the client. */
  readonly framing: Framing
  readonly close: boolean
  /** Said aloud to HTTP/1.0 clients, who expect the opposite. */
  readonly keepAlive: boolean
  /** Whole lines, each with its CRLF. */
  readonly extra: string
}

/** An answer as it goes to the client: written anew. */
export function writeResponseHead(head: ResponseHead, shape: AnswerShape): string {
  let text = `HTTP/1.1 ${head.status} ${head.reason}\r\n`
  for (const { lower, line, isPlain } of head.fields) {
    const isKept = isPlain || (lower !== "content-length" && !hopByHop.has(lower) && !ours.has(lower))
    if (isKept && !isNamed(lower, head.connection)) text += line
  }
  if (shape.framing.kind === "none") {
    if (head.length !== undefined && head.status >= 200 && head.status !== 204)
      text += `Content-Length: ${head.length}\r\n`
  } else text += framingLine(shape.framing, false)
  if (head.status === 101 && head.upgrade !== undefined)
    text += `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n`
  else if (shape.close) text += "Connection: close\r\n"
  else if (shape.keepAlive) text += "Connection: keep-alive\r\n"
  return `${text}${shape.extra}\r\n`
}

/** What ends a chunked body, with the fields after it that may stand there. */
export function writeTrailers(trailers: readonly Field[]): string {
  let text = "0\r\n"
  for (const { lower, line } of trailers)
    if (!neverTrailer.has(lower) && !hopByHop.has(lower) && !ours.has(lower)) text += line
  return `${text}\r\n`
}

const nothing: readonly string[] = []

const isNamed = (lower: string, connection: readonly string[]): boolean =>
  connection.length > 0 && connection.includes(lower) && !neverNamed.has(lower)

function framingLine(framing: Framing, sayNone: boolean): string {
  switch (framing.kind) {
    case "length":
      return `Content-Length: ${framing.bytes}\r\n`
    case "chunked":
      return "Transfer-Encoding: chunked\r\n"
    default:
      return sayNone ? "Content-Length: 0\r\n" : ""
  }
}
