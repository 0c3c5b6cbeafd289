import { looksSecret } from "./secret.ts"

/** What one instance answered. `body` is undefined when it was larger than what is compared. */
export type Answer = {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

/** What is found at one path: its type, and its value as text; several elements of a list share a path. */
export type Leaf = { readonly type: string; readonly value: string }

/** An answer as paths: `status`, `header content-type`, `body.items[].price`. Parents come before their children. */
export type Flat = ReadonlyMap<string, Leaf>

/** Paths of one answer that are compared; a longer answer is compared as far as it was read. */
export const mostPaths = 500
const deepest = 24

/** Headers whose difference a client would notice; dates, ids and cookies differ by nature. */
const comparedHeaders = ["content-type", "location", "cache-control", "content-language", "www-authenticate"]

/**
 * Flattens an answer. `own` are names that only this instance has, such as its id, its release and its
 * address: an answer that tells who gave it is not different for that.
 */
export function flatten(answer: Answer, own: readonly string[]): Flat {
  const flat = new Map<string, Leaf>()
  flat.set("status", { type: `${Math.floor(answer.status / 100)}xx`, value: String(answer.status) })
  for (const name of comparedHeaders) {
    const value = answer.headers[name]
    if (value === undefined) continue
    const type = name === "content-type" ? mediaType(value) : "text"
    flat.set(`header ${name}`, { type, value: withoutNames(value, own) })
  }
  if (answer.body === undefined) flat.set("body", { type: "large", value: "" })
  else flattenBody(flat, withoutNames(answer.body, own), answer.headers["content-type"] ?? "")
  return flat
}

const mediaType = (header: string): string => (header.split(";")[0] ?? "").trim().toLowerCase()

const withoutNames = (text: string, own: readonly string[]): string =>
  own.reduce((rest, name) => rest.replaceAll(name, "<own>"), text)

function flattenBody(flat: Map<string, Leaf>, text: string, contentType: string): void {
  if (/\bjson\b/i.test(mediaType(contentType))) {
    const parsed = parse(text)
    if (parsed) {
      walk(flat, "body", parsed.value, 0)
      return
    }
  }
  flat.set("body", { type: text === "" ? "empty" : "text", value: text })
}

function parse(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

function walk(flat: Map<string, Leaf>, path: string, value: unknown, depth: number): void {
  if (Array.isArray(value)) {
    put(flat, path, { type: "list", value: String(value.length) })
    if (depth < deepest) for (const one of value) walk(flat, `${path}[]`, one, depth + 1)
    return
  }
  if (typeof value === "object" && value !== null) {
    put(flat, path, { type: "object", value: "" })
    if (depth >= deepest) return
    for (const [key, one] of Object.entries(value)) walk(flat, `${path}.${keyName(key)}`, one, depth + 1)
    return
  }
  put(flat, path, { type: value === null ? "null" : typeof value, value: String(value) })
}

/** A path that is there several times holds all its types and, in order, all its values. */
function put(flat: Map<string, Leaf>, path: string, leaf: Leaf): void {
  const known = flat.get(path)
  if (!known) {
    if (flat.size < mostPaths) flat.set(path, leaf)
    return
  }
  const types = new Set(known.type.split("|")).add(leaf.type)
  flat.set(path, { type: [...types].sort().join("|"), value: `${known.value}\n${leaf.value}` })
}

const keyName = (key: string): string => (isName(key) ? "*" : key.slice(0, 60))

/** Numbers, UUIDs, tokens, addresses of people: names of one thing, not of a kind of thing. */
const isName = (text: string): boolean => isId(text) || looksSecret(text) || /@|%40/.test(text)

const isId = (text: string): boolean => /^\d+$|^[0-9a-f-]{16,}$/i.test(text)

/** What was asked, without what changes from request to request: `GET /items/:id`. */
export function endpointOf(method: string, target: string): string {
  const [path = "/"] = target.split(/[?#]/)
  const parts = path.split("/").slice(0, 12)
  return `${method} ${parts.map((part) => (isName(part) ? ":id" : part.slice(0, 60))).join("/")}`
}
