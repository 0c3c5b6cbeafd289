import { badRequest } from "./bad-message.ts"

/** A header field: its name as sent, the name in lower case, its value without the space around it. */
export type Field = readonly [name: string, lower: string, value: string]

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const value = /^[\t\x20-\x7e\x80-\xff]*$/

export const isFieldValue = (text: string): boolean => value.test(text)

/**
 * Reads field lines, separated by CRLF, none after the last. Throws on everything that two readers could
 * understand differently: folded lines, bare CR or LF, NUL, space before the colon, empty names.
 */
export function readFields(text: string, from: number, most: number): Field[] {
  const fields: Field[] = []
  let at = from
  while (at < text.length) {
    let end = text.indexOf("\r\n", at)
    if (end === -1) end = text.length
    const colon = text.indexOf(":", at)
    if (colon === -1 || colon >= end) throw badRequest("a header line has no colon")
    const name = text.slice(at, colon)
    if (!token.test(name)) throw badRequest("a header name is not a token")
    const content = trim(text, colon + 1, end)
    if (!value.test(content)) throw badRequest(`the value of ${name} holds a control character`)
    if (fields.length === most) throw badRequest(`more than ${most} header fields`)
    fields.push([name, lowerCase(name), content])
    at = end + 2
  }
  return fields
}

/** The elements of a comma-separated list, in lower case. */
export const listOf = (text: string): readonly string[] =>
  text
    .split(",")
    .map((part) => part.trim().toLowerCase())
    .filter((part) => part !== "")

/** A length, or undefined when it is not plain decimal digits of at most 15 places. */
export const readLength = (text: string): number | undefined =>
  /^\d{1,15}$/.test(text) ? Number(text) : undefined

function trim(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text.charCodeAt(start))) start += 1
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1
  return text.slice(start, end)
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09

// The same few dozen names come again and again; lowering each anew shows in the profile.
const known = new Map<string, string>()

function lowerCase(name: string): string {
  const before = known.get(name)
  if (before !== undefined) return before
  const lower = name.toLowerCase()
  if (known.size < 1_000) known.set(name, lower)
  return lower
}
