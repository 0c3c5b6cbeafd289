import type { RequestHead } from "./request-head.ts"
import type { MirrorTable } from "./table.ts"

/** What a copied request may carry: nothing that says who asks. `Host` and what the router itself says come besides. */
const harmless: ReadonlySet<string> = new Set([
  "accept",
  "accept-charset",
  "accept-encoding",
  "accept-language",
  "cache-control",
  "if-modified-since",
  "if-none-match",
  "range",
  "traceparent",
  "user-agent",
  "via",
  "x-forwarded-for",
  "x-request-id",
])

type Choice = { readonly denied: RegExp | undefined; readonly fields: ReadonlySet<string> }

const choices = new WeakMap<MirrorTable, Choice>()

function choiceOf(mirror: MirrorTable): Choice {
  let choice = choices.get(mirror)
  if (!choice) {
    const { deny = [], headers = [] } = mirror
    choice = {
      denied: deny.length > 0 ? new RegExp(`^(?:${deny.map(asRegExp).join("|")})$`, "i") : undefined,
      fields: new Set([...harmless, ...headers.map((name) => name.toLowerCase())]),
    }
    choices.set(mirror, choice)
  }
  return choice
}

/** In a pattern only `*` means something: any characters, also none. */
const asRegExp = (pattern: string): string =>
  pattern
    .split(/\*+/)
    .map((text) => text.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&"))
    .join(".*")

/** Whether a path may be asked for twice; one that is written in another way counts as what it means. */
export function mayCopy(mirror: MirrorTable, target: string): boolean {
  const { denied } = choiceOf(mirror)
  if (!denied) return true
  const path = target.replace(/[?#].*$/s, "")
  if (denied.test(path)) return false
  if (!path.includes("%")) return true
  try {
    return !denied.test(decodeURIComponent(path))
  } catch {
    return false
  }
}

/** The same request with nothing but the fields that a copy may carry. */
export function strippedFor(mirror: MirrorTable, head: RequestHead): RequestHead {
  const { fields } = choiceOf(mirror)
  return { ...head, fields: head.fields.filter(({ lower }) => fields.has(lower)), upgrade: undefined }
}

/** A copied request, told so that its answers can be compared elsewhere. */
export type Told = {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
}

/** What belongs to one request or one way of asking: it changes no answer, or makes it no answer at all. */
const ofThisTime: ReadonlySet<string> = new Set([
  "accept-encoding",
  "cache-control",
  "if-modified-since",
  "if-none-match",
  "range",
  "traceparent",
  "via",
  "x-forwarded-for",
  "x-request-id",
])

/** At most one so often is told, in ms, and no more are remembered, nor longer. */
const every = 100
const most = 20
const kept = 10_000
const longest = 500

/** The newest copied requests: a small sample, bounded in number, in rate and in age. */
export class Recent {
  #told: readonly Told[] = []

  /** Takes a request as it is copied. */
  see(head: RequestHead, host: string): void {
    const now = Date.now()
    const last = this.#told.at(-1)
    if (last !== undefined && now >= last.at && now - last.at < every) return
    if (head.target.length > longest || !head.target.startsWith("/")) return
    const headers: Record<string, string> = { host }
    for (const { lower, value } of head.fields)
      if (!ofThisTime.has(lower) && value.length <= longest) headers[lower] = value
    this.#told = [
      ...this.#told.slice(1 - most),
      { at: now, method: head.method, target: head.target, headers },
    ]
  }

  read(): readonly Told[] {
    const now = Date.now()
    this.#told = this.#told.filter(({ at }) => at <= now && now - at < kept)
    return this.#told
  }
}
