/** An answer of the router itself: `x-immunity-router` says why, which no instance can say. */
export type OwnAnswer = {
  readonly status: number
  readonly reason: string
  readonly message: string
  /** The pool that it was meant for, where one had been chosen. */
  readonly pool?: string | undefined
}

const phrases: Readonly<Record<number, string>> = {
  400: "Bad Request",
  405: "Method Not Allowed",
  408: "Request Timeout",
  417: "Expectation Failed",
  431: "Request Header Fields Too Large",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
}

/** The whole answer; without its body for HEAD. */
export function writeOwnAnswer(answer: OwnAnswer, close: boolean, isHead: boolean): string {
  const body = `${answer.message}\n`
  const retry = answer.status === 503 ? "Retry-After: 1\r\n" : ""
  const allow = answer.status === 405 ? "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n" : ""
  const pool = answer.pool === undefined ? "" : `x-immunity-pool: ${answer.pool}\r\n`
  return (
    `HTTP/1.1 ${answer.status} ${phrases[answer.status] ?? "Error"}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
    `Cache-Control: no-store\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
    `x-immunity-router: ${answer.reason}\r\n${retry}${allow}${pool}${close ? "Connection: close\r\n" : ""}\r\n` +
    (isHead ? "" : body)
  )
}
