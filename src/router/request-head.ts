import { BadMessage, badRequest } from "./bad-message.ts"
import { type Field, isFieldValue, listOf, readFields, readLength } from "./fields.ts"
import { chunkedBody, type Framing, noBody } from "./framing.ts"
import { headText } from "./head-end.ts"
import { defaultLimits, type Limits } from "./limits.ts"

export type RequestHead = {
  readonly method: string
  /** In origin form, byte for byte as sent; `*` for OPTIONS. */
  readonly target: string
  readonly minor: 0 | 1
  /** Undefined only where HTTP/1.0 left it out. */
  readonly host: string | undefined
  readonly fields: readonly Field[]
  readonly framing: Framing
  /** What Connection names, in lower case. */
  readonly connection: readonly string[]
  readonly keepAlive: boolean
  /** The protocol that the client wants to change to. */
  readonly upgrade: string | undefined
}

export type ReadRequest = { readonly head: RequestHead; readonly end: number }

type HeadLimits = Pick<Limits, "mostHead" | "mostFields">

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
const refusedMethods = new Set(["CONNECT", "TRACE"])
const hostForm = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._~%!$&'()*+;=-]*)(?::\d{0,5})?$/
const targetForm = /^[\x21\x22\x24-\x7e]+$/

/**
 * Reads one request head from `from` on. Undefined: not all of it is there yet. Throws a BadMessage for
 * everything ambiguous: it is refused, never repaired. `before`: the head before it on this connection.
 */
export function readRequestHead(
  buffer: Buffer,
  from: number,
  most: HeadLimits = defaultLimits,
  before?: RequestHead | undefined,
): ReadRequest | undefined {
  // One empty line before a request is what old clients leave behind a body; RFC 9112 2.2 lets it pass.
  const start = buffer[from] === 0x0d && buffer[from + 1] === 0x0a ? from + 2 : from
  const text = headText(buffer, start)
  if (text === undefined) {
    refuseHopeless(buffer, start, most.mostHead)
    return undefined
  }
  if (text.length - 2 > most.mostHead) throw tooLarge(most.mostHead)
  return { head: parse(text, most.mostFields, before?.fields), end: start + text.length + 2 }
}

/** What can never become a head is not waited for. */
function refuseHopeless(buffer: Buffer, start: number, mostHead: number): void {
  if (buffer.length - start > mostHead) throw tooLarge(mostHead)
  const first = buffer[start]
  if (first !== undefined && first !== 0x0d && (first < 0x41 || first > 0x5a))
    throw badRequest("this is not an HTTP/1.1 request")
  for (let at = buffer.indexOf(0x0a, start); at !== -1; at = buffer.indexOf(0x0a, at + 1))
    if (at === start || buffer[at - 1] !== 0x0d) throw badRequest("a line ends without CR")
  const lineEnd = buffer.indexOf("\r\n", start, "latin1")
  if (lineEnd > start) readRequestLine(buffer.toString("latin1", start, lineEnd))
}

const tooLarge = (mostHead: number): BadMessage =>
  new BadMessage(431, "head-too-large", `the head is larger than ${mostHead} bytes`)

function parse(text: string, mostFields: number, before: readonly Field[] | undefined): RequestHead {
  const lineEnd = text.indexOf("\r\n")
  const { method, target, authority, minor } = readRequestLine(text.slice(0, lineEnd))
  const fields = readAll(text, lineEnd + 2, mostFields, before)
  const found = gather(fields, minor)
  // RFC 9112 3.2.2: an absolute target decides, whatever Host says.
  const host = authority ?? found.host
  if (found.host === undefined && minor === 1) throw badRequest("Host is missing")
  const closes = found.connection.includes("close")
  const upgrading = found.connection.includes("upgrade") && minor === 1 && found.framing.kind === "none"
  return {
    method,
    target,
    minor,
    host,
    fields,
    framing: found.framing,
    connection: found.connection,
    keepAlive: !closes && (minor === 1 || found.connection.includes("keep-alive")),
    upgrade: upgrading && method === "GET" ? found.upgrade : undefined,
  }
}

type RequestLine = {
  readonly method: string
  readonly target: string
  readonly authority: string | undefined
  readonly minor: 0 | 1
}

function readRequestLine(line: string): RequestLine {
  const first = line.indexOf(" ")
  const second = line.indexOf(" ", first + 1)
  if (first === -1 || second === -1 || line.includes(" ", second + 1))
    throw badRequest("the request line is not: method, target, version")
  const method = line.slice(0, first)
  const minor = readVersion(line.slice(second + 1))
  checkMethod(method)
  const { target, authority } = readTarget(method, line.slice(first + 1, second))
  return { method, minor, target, authority }
}

function readAll(
  text: string,
  from: number,
  mostFields: number,
  before: readonly Field[] | undefined,
): readonly Field[] {
  try {
    return readFields(text, from, mostFields, before)
  } catch (error) {
    if (error instanceof BadMessage && error.message.startsWith("more than"))
      throw new BadMessage(431, "head-too-large", error.message)
    throw error
  }
}

function readVersion(version: string): 0 | 1 {
  if (version === "HTTP/1.1") return 1
  if (version === "HTTP/1.0") return 0
  if (/^HTTP\/\d\.\d$/.test(version))
    throw new BadMessage(505, "version", `${version} is not spoken here; use HTTP/1.1`)
  throw badRequest("the version is not HTTP/1.1")
}

function checkMethod(method: string): void {
  if (methods.has(method)) return
  if (refusedMethods.has(method)) throw new BadMessage(405, "method", `${method} is not allowed here`)
  throw new BadMessage(501, "method", "this method is not known here")
}

function readTarget(method: string, sent: string): { target: string; authority: string | undefined } {
  if (!targetForm.test(sent)) throw badRequest("the target holds a character that belongs in no target")
  if (sent.startsWith("/")) return { target: sent, authority: undefined }
  if (sent === "*" && method === "OPTIONS") return { target: sent, authority: undefined }
  const match = /^https?:\/\/([^/?]+)(.*)$/i.exec(sent)
  const authority = match?.[1]
  if (authority === undefined || !hostForm.test(authority))
    throw badRequest("the target is neither a path nor a URL")
  const rest = match?.[2] ?? ""
  return { target: rest.startsWith("/") ? rest : `/${rest}`, authority }
}

type Found = {
  host: string | undefined
  framing: Framing
  connection: readonly string[]
  upgrade: string | undefined
}

function gather(fields: readonly Field[], minor: 0 | 1): Found {
  const found: Found = { host: undefined, framing: noBody, connection: [], upgrade: undefined }
  let length: number | undefined
  let coding: string | undefined
  for (const { lower, value, isPlain } of fields) {
    if (isPlain) continue
    switch (lower) {
      case "host":
        if (found.host !== undefined) throw badRequest("Host is there twice")
        if (!hostForm.test(value)) throw badRequest("Host is not a host")
        found.host = value
        break
      case "content-length":
        if (length !== undefined) throw badRequest("Content-Length is there twice")
        length = readLength(value)
        if (length === undefined) throw badRequest("Content-Length is not a plain number")
        break
      case "transfer-encoding":
        if (coding !== undefined) throw badRequest("Transfer-Encoding is there twice")
        coding = value
        break
      case "connection":
        found.connection =
          found.connection.length === 0 ? listOf(value) : [...found.connection, ...listOf(value)]
        break
      case "upgrade":
        found.upgrade = found.upgrade === undefined ? plainUpgrade(value) : undefined
        break
      case "expect":
        if (value.toLowerCase() !== "100-continue")
          throw new BadMessage(417, "expectation", "only Expect: 100-continue is understood")
        break
    }
  }
  if (coding !== undefined) {
    if (length !== undefined) throw badRequest("Content-Length and Transfer-Encoding contradict each other")
    if (minor === 0) throw badRequest("HTTP/1.0 has no Transfer-Encoding")
    if (coding.toLowerCase() !== "chunked") throw badRequest("Transfer-Encoding is not chunked")
    found.framing = chunkedBody
  } else if (length !== undefined && length > 0) found.framing = { kind: "length", bytes: length }
  return found
}

/** Changing to HTTP/2 inside a tunnel would smuggle requests past everything here. */
const plainUpgrade = (value: string): string | undefined =>
  isFieldValue(value) && /^[A-Za-z0-9._/-]+$/.test(value) && !/^h2c?$/i.test(value) ? value : undefined
