import { request } from "node:http"
import type { Answer } from "../../core/answers/flatten.ts"

/** A longer body is not compared. */
const mostBytes = 256 * 1024

/**
 * Asks one instance, over a connection of its own. The request carries nothing of any user: GET, and the
 * headers below. Resolves to undefined when no whole answer came in time; never throws.
 */
export function askAnswer(
  address: string,
  path: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    const headers = { host: address, accept: "*/*", "user-agent": "immunity-answers", "x-mirror": "1" }
    const asked = request(`http://${address}${path}`, { method: "GET", agent: false, headers, signal: until })
    asked.on("error", () => resolve(undefined))
    asked.on("response", (response) => {
      const parts: Buffer[] = []
      let size = 0
      const answer = (body: string | undefined): Answer => ({
        status: response.statusCode ?? 0,
        headers: Object.fromEntries(
          Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
        ),
        body,
      })
      response.on("data", (part: Buffer) => {
        size += part.length
        if (size <= mostBytes) parts.push(part)
        else {
          resolve(answer(undefined))
          asked.destroy()
        }
      })
      response.on("error", () => resolve(undefined))
      response.on("end", () => resolve(answer(Buffer.concat(parts).toString("utf8"))))
      response.on("close", () => resolve(undefined))
    })
    asked.end()
  })
}
