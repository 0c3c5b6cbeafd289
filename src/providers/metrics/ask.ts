export type AskLimits = {
  /** For the whole answer, in milliseconds. */
  readonly timeoutMs: number
  /** Bytes of an answer. */
  readonly answerBytes: number
}

export const usualLimits: AskLimits = { timeoutMs: 4_000, answerBytes: 5 * 1024 * 1024 }

export type Answer = { readonly status: number; readonly type: string; readonly text: string }

/** One request whose answer is whole, in time and not too large, or a sentence thrown. Follows no redirect. */
export async function ask(
  url: string,
  what: { readonly method: "GET" | "POST"; readonly accept: string; readonly form?: string },
  limits: AskLimits,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    // Loaded when there is something to ask: whoever waits for a start does not wait for it.
    const { request } = await import("undici")
    const { statusCode, headers, body } = await request(url, {
      method: what.method,
      headers: {
        accept: what.accept,
        ...(what.form === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
      },
      body: what.form ?? null,
      signal: AbortSignal.any([signal, AbortSignal.timeout(limits.timeoutMs)]),
    })
    const text = await readCapped(body, limits.answerBytes)
    return { status: statusCode, type: String(headers["content-type"] ?? ""), text }
  } catch (error) {
    throw new Error(sentence(error, limits))
  }
}

/** Refuses what is no JSON; a page with a login form answers 200 as well. */
export function jsonOf({ type, text }: Answer): unknown {
  if (!/^application\/([\w.-]+\+)?json\b/.test(type))
    throw new Error(`it answered with ${type.slice(0, 60) || "nothing"}, not with JSON`)
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(`what it answered is not JSON: ${JSON.stringify(text.slice(0, 60))}`)
  }
}

export type Base = {
  /** Without a trailing slash. */
  readonly url: string
  /** As it was written. */
  readonly href: string
  readonly host: string
}

/** An address of `who` that may be asked. Throws on another scheme and on credentials. */
export function readBase(text: string, who: string): Base {
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol))
    throw new Error(
      `the address of ${who}, ${JSON.stringify(text.slice(0, 100))}, is not one of http or https`,
    )
  if (url.username !== "" || url.password !== "")
    throw new Error(
      `the address of ${who} at ${url.host} contains credentials, which would be stored and shown`,
    )
  return { url: `${url.origin}${url.pathname.replace(/\/+$/, "")}`, href: url.href, host: url.host }
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Breaks the connection off when more comes than is allowed. */
async function readCapped(body: AsyncIterable<Buffer>, limit: number): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of body) {
    bytes += part.length
    if (bytes > limit) throw new Error(`its answer is larger than ${limit.toLocaleString("en")} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString("utf8")
}

function sentence(error: unknown, limits: AskLimits): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === "TimeoutError") return `it took longer than ${limits.timeoutMs / 1_000} s`
  if (error.name === "AbortError") return "it was asked to stop"
  return error.message || String("code" in error ? error.code : error.name)
}
