import { BadMessage } from "./bad-message.ts"
import { type Field, listOf, readFields, readLength } from "./fields.ts"
import { bodyToClose, chunkedBody, type Framing, noBody } from "./framing.ts"
import { headText } from "./head-end.ts"

export type ResponseHead = {
  readonly status: number
  readonly reason: string
  readonly minor: 0 | 1
  readonly fields: readonly Field[]
  /** As the answer to this request: HEAD, 204 and 304 have none. */
  readonly framing: Framing
  /** What it says of its body where it has none: HEAD. */
  readonly length: number | undefined
  readonly connection: readonly string[]
  readonly keepAlive: boolean
  readonly upgrade: string | undefined
  /** Bytes of it as it came. */
  readonly size: number
}

export type ReadResponse = { readonly head: ResponseHead; readonly end: number }

const mostHead = 64 * 1024
const mostFields = 256
/** By so much the head of an answer is often longer than the one before it. */
const slack = 64
const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/

const bad = (message: string): BadMessage => new BadMessage(502, "bad-response", message)

/**
 * Reads the head of an answer to `method`. Undefined: not all there yet. Throws a BadMessage when it is ambiguous.
 * `before`: the head before it on this connection.
 */
export function readResponseHead(
  buffer: Buffer,
  from: number,
  method: string,
  before?: ResponseHead | undefined,
): ReadResponse | undefined {
  const text = headText(buffer, from, before && before.size + slack)
  if ((text === undefined ? buffer.length - from : text.length - 2) > mostHead)
    throw bad("the head is too large")
  if (text === undefined) {
    if (buffer.length - from >= 5 && buffer.toString("latin1", from, from + 5) !== "HTTP/")
      throw bad("this is not HTTP")
    return undefined
  }
  return { head: parse(text, method, before?.fields), end: from + text.length + 2 }
}

function parse(text: string, method: string, before: readonly Field[] | undefined): ResponseHead {
  const lineEnd = text.indexOf("\r\n")
  const { minor, status, reason } = readStatusLine(text.slice(0, lineEnd))
  const fields = readFields(text, lineEnd + 2, mostFields, before)
  let length: number | undefined
  let coding: string | undefined
  let connection: readonly string[] = []
  let upgrade: string | undefined
  for (const { lower, value, isPlain } of fields) {
    if (isPlain) continue
    if (lower === "content-length") {
      if (length !== undefined) throw bad("Content-Length is there twice")
      length = readLength(value)
      if (length === undefined) throw bad("Content-Length is not a plain number")
    } else if (lower === "transfer-encoding") {
      if (coding !== undefined) throw bad("Transfer-Encoding is there twice")
      coding = value.toLowerCase()
    } else if (lower === "connection")
      connection = connection.length === 0 ? listOf(value) : [...connection, ...listOf(value)]
    else if (lower === "upgrade") upgrade = value
  }
  if (coding !== undefined && length !== undefined)
    throw bad("Content-Length and Transfer-Encoding contradict each other")
  if (coding !== undefined && (coding !== "chunked" || minor === 0))
    throw bad("Transfer-Encoding is not chunked")
  const framing = framingOf(method, status, coding !== undefined, length)
  const stays = minor === 1 ? !connection.includes("close") : connection.includes("keep-alive")
  return {
    status,
    reason,
    minor,
    fields,
    framing,
    length,
    connection,
    keepAlive: stays && framing.kind !== "close",
    upgrade,
    size: text.length,
  }
}

type StatusLine = Pick<ResponseHead, "minor" | "status" | "reason">

const usual: StatusLine = { minor: 1, status: 200, reason: "OK" }

function readStatusLine(line: string): StatusLine {
  if (line === "HTTP/1.1 200 OK") return usual
  const match = statusLine.exec(line)
  if (!match) throw bad("the status line is not understood")
  return { minor: match[1] === "1" ? 1 : 0, status: Number(match[2]), reason: match[3] ?? "" }
}

function framingOf(method: string, status: number, chunked: boolean, length: number | undefined): Framing {
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return noBody
  if (chunked) return chunkedBody
  if (length === undefined) return bodyToClose
  return length === 0 ? noBody : { kind: "length", bytes: length }
}
