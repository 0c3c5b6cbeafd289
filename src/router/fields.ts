import { badRequest } from "./bad-message.ts"

/** A header field. */
export type Field = {
  /** As sent. */
  readonly name: string
  /** The name in lower case. */
  readonly lower: string
  /** Without the space around it. */
  readonly value: string
  /** `Name: value` with its CRLF: how it goes on. */
  readonly line: string
  /** It means nothing to the router itself. */
  readonly isPlain: boolean
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const value = /^[\t\x20-\x7e\x80-\xff]*$/

/** Fields that the router reads, says itself, or keeps to one connection. */
const special = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-immunity-pool",
  "x-immunity-router",
  "x-request-id",
])

export const isFieldValue = (text: string): boolean => value.test(text)

/**
 * Reads field lines, each with its CRLF; the last one may lack it. Throws on everything that two readers could understand differently:
 * folded lines, bare CR or LF, NUL, space before the colon, empty names. `before`: the fields of the message
 * before it on this connection.
 */
export function readFields(
  text: string,
  from: number,
  most: number,
  before: readonly Field[] = [],
): readonly Field[] {
  const fields: Field[] = []
  let at = from
  while (at < text.length) {
    if (fields.length === most) throw badRequest(`more than ${most} header fields`)
    // Most of what is said on a connection is said again at the same place of the next message.
    const again = before[fields.length]
    if (again !== undefined && text.slice(at, at + again.line.length) === again.line) {
      fields.push(again)
      at += again.line.length
      continue
    }
    const found = text.indexOf("\r\n", at)
    const end = found === -1 ? text.length : found
    const line = text.slice(at, end)
    fields.push(known.get(line) ?? readField(line))
    at = end + 2
  }
  return fields
}

// Most lines come again and again, from every user: what was read once is not read anew.
const known = new Map<string, Field>()
const mostKnown = 2_000
const longestKnown = 200
/** What tells one user from another comes again too rarely, and has no place in a memory that all share. */
const personal = new Set(["cookie", "set-cookie", "authorization", "proxy-authorization", "x-api-key"])

function readField(line: string): Field {
  const colon = line.indexOf(":")
  if (colon === -1) throw badRequest("a header line has no colon")
  const name = line.slice(0, colon)
  if (!token.test(name)) throw badRequest("a header name is not a token")
  const content = trim(line, colon + 1)
  if (!value.test(content)) throw badRequest(`the value of ${name} holds a control character`)
  const lower = name.toLowerCase()
  // A tab there is allowed and nobody's habit; readers differ on it, llhttp refuses one behind `chunked`.
  if ((lower === "transfer-encoding" || lower === "content-length") && line.includes("\t"))
    throw badRequest(`a tab beside the value of ${name}`)
  if (line.length > longestKnown || personal.has(lower)) return asField(name, lower, content)
  // Copies: a piece of a string would keep the whole head in memory.
  const field = asField(copied(name), copied(lower), copied(content))
  if (known.size >= mostKnown) known.clear()
  known.set(copied(line), field)
  return field
}

const asField = (name: string, lower: string, content: string): Field => ({
  name,
  lower,
  value: content,
  line: `${name}: ${content}\r\n`,
  isPlain: !special.has(lower),
})

const copied = (text: string): string => Buffer.from(text, "latin1").toString("latin1")

const lists = new Map([
  ["keep-alive", ["keep-alive"]],
  ["Keep-Alive", ["keep-alive"]],
  ["close", ["close"]],
])

/** The elements of a comma-separated list, in lower case. */
export const listOf = (text: string): readonly string[] =>
  lists.get(text) ??
  text
    .split(",")
    // Not `trim()`, which takes a no-break space for a space: 0xa0 is a byte of the value here.
    .map((part) => part.replace(/^[ \t]+|[ \t]+$/g, "").toLowerCase())
    .filter((part) => part !== "")

/** A length, or undefined when it is not plain decimal digits of at most 15 places. */
export const readLength = (text: string): number | undefined =>
  /^\d{1,15}$/.test(text) ? Number(text) : undefined

function trim(text: string, from: number): string {
  let start = from
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start += 1
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1
  return text.slice(start, end)
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09
