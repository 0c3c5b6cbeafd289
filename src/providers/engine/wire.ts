import { type IncomingMessage, request } from "node:http"
import type { Readable } from "node:stream"

/** The version of the Engine API that Docker and Podman both speak. */
const version = "/v1.41"

/** An answer that is not a success. */
export class EngineRefused extends Error {
  readonly status: number

  constructor(status: number, said: string) {
    super(said)
    this.status = status
  }
}

export type Ask = {
  readonly method: "GET" | "POST" | "DELETE"
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** One request to an engine's socket; rejects with the engine's own words when it refuses. */
export async function ask(socketPath: string, order: Ask): Promise<unknown> {
  const answer = await open(socketPath, order)
  const text = await textOf(answer)
  if (text.trim() === "") return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(`the engine answered ${order.method} ${order.path} with something that is not JSON`)
  }
}

/** The same, with the answer as it comes. A stream as the body is a tar. */
export function open(socketPath: string, order: Ask & { readonly tar?: Readable }): Promise<IncomingMessage> {
  const path = `${version}${order.path}${order.query ? `?${new URLSearchParams(order.query)}` : ""}`
  const body = order.body === undefined ? undefined : JSON.stringify(order.body)
  const headers = {
    host: "engine",
    ...order.headers,
    ...(order.tar ? { "content-type": "application/x-tar" } : {}),
    ...(body === undefined
      ? {}
      : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
  }
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath, method: order.method, path, headers, signal: order.signal, agent: false },
      (answer) => {
        const status = answer.statusCode ?? 0
        endsWith(answer, order)
        if (status < 400) return resolve(answer)
        textOf(answer).then((text) => reject(new EngineRefused(status, messageIn(text))), reject)
      },
    )
    asked.on("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "ENOENT" || error.code === "ECONNREFUSED" || error.code === "EACCES"
          ? new Error(`no container engine answers at ${socketPath} (${error.code})`)
          : error,
      ),
    )
    if (order.tar) {
      order.tar.on("error", (error) => asked.destroy(error))
      order.tar.pipe(asked)
    } else asked.end(body)
  })
}

/** An answer that is given up in its midst says why; Node itself would only say "aborted". */
function endsWith(answer: IncomingMessage, { method, path, signal }: Ask): void {
  const end = () =>
    answer.destroy(new Error(`the engine's answer to ${method} ${path} was given up: ${signal.reason}`))
  signal.addEventListener("abort", end)
  answer.once("close", () => signal.removeEventListener("abort", end))
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString("utf8")
}

function messageIn(text: string): string {
  try {
    const { message, cause } = JSON.parse(text) as { readonly message?: string; readonly cause?: string }
    return message ?? cause ?? text
  } catch {
    return text.trim()
  }
}

/** Takes the two streams of an output apart from their eight-byte headers. */
export async function demultiplex(
  answer: AsyncIterable<Uint8Array>,
  write: (chunk: Uint8Array) => void,
): Promise<void> {
  let rest = Buffer.alloc(0)
  for await (const chunk of answer) {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 8) {
      const length = rest.readUInt32BE(4)
      if (rest.length < 8 + length) break
      write(rest.subarray(8, 8 + length))
      rest = rest.subarray(8 + length)
    }
  }
}
