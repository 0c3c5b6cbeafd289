import { type ClientRequest, type RequestOptions, request } from "node:http"
import type { Answer } from "../../core/answers/flatten.ts"
import type { ToAsk } from "./answers-wire.ts"

/** A longer body is not compared. */
const mostBytes = 256 * 1024

/**
 * Asks one instance, over a connection of its own. The request carries nothing that says who asks: what the
 * router left of it, or the bare headers below. Resolves to undefined when no whole answer came in time; never
 * throws.
 */
export function askAnswer(
  address: string,
  { method, target, headers: own }: ToAsk,
  timeoutMs: number,
): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const until = AbortSignal.timeout(timeoutMs)
    const bare = { host: address, accept: "*/*", "user-agent": "immunity-answers" }
    const headers = { ...bare, ...own, "x-mirror": "1" }
    const asked = begin(address, { method, path: target, agent: false, headers, signal: until })
    if (!asked) {
      resolve(undefined)
      return
    }
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

/** Undefined when Node would not send such a request. */
function begin(address: string, options: RequestOptions): ClientRequest | undefined {
  try {
    return request(`http://${address}`, options)
  } catch {
    return undefined
  }
}
