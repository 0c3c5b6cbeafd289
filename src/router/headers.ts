import type { IncomingMessage } from "node:http"

const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "proxy-authenticate",
  "proxy-authorization",
])
const never = new Set(["host", "content-length", "transfer-encoding"])
const secrets = new Set(["authorization", "cookie", "x-api-key", "proxy-authorization"])

/** Header fields to pass on, in their order: without those of this hop and those that `Connection` names. */
export function passedOn(message: IncomingMessage): string[] {
  const named = new Set(
    String(message.headers.connection ?? "")
      .toLowerCase()
      .split(",")
      .map((name) => name.trim())
      .filter((name) => !never.has(name)),
  )
  const kept: string[] = []
  const raw = message.rawHeaders
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? ""
    const lower = name.toLowerCase()
    if (hopByHop.has(lower) || named.has(lower) || lower === "x-immunity-router") continue
    kept.push(name, raw[i + 1] ?? "")
  }
  return kept
}

/** The request's fields for an instance: who asked and how stands in X-Forwarded-*, set by us. */
export function towardsInstance(request: IncomingMessage): string[] {
  const forwarded = new Set(["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"])
  const kept = without(passedOn(request), forwarded)
  const before = request.headers["x-forwarded-for"]
  const from = request.socket.remoteAddress ?? "unknown"
  kept.push("X-Forwarded-For", before ? `${String(before)}, ${from}` : from)
  kept.push("X-Forwarded-Proto", "http", "X-Forwarded-Host", request.headers.host ?? "")
  if (request.headers["transfer-encoding"] !== undefined) kept.push("Transfer-Encoding", "chunked")
  return kept
}

/** For a copy that nobody waits for: nothing that proves who the user is, and a mark. */
export const towardsMirror = (request: IncomingMessage): string[] => [
  ...without(towardsInstance(request), secrets),
  "X-Mirror",
  "1",
]

function without(raw: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (!names.has((raw[i] ?? "").toLowerCase())) kept.push(raw[i] ?? "", raw[i + 1] ?? "")
  }
  return kept
}
