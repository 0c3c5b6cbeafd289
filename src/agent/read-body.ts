import type { IncomingMessage } from "node:http"
import { BadOrder } from "./wire.ts"

/** The JSON that a request brings; throws a BadOrder when it is larger than `most` bytes or no JSON. */
export async function readBody(request: IncomingMessage, most: number): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > most) throw new BadOrder(`the order is larger than ${most} bytes`)
    chunks.push(chunk as Buffer)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"))
  } catch {
    throw new BadOrder("the order is not JSON")
  }
}
