import { chmod, rm } from "node:fs/promises"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { connect } from "node:net"
import { Refusal } from "./refusal.ts"

const mostBody = 8 * 1024 * 1024

/** Answers `METHOD /path` with what is sent as JSON. Throws a Refusal for what it does not do. */
export type Verbs = (verb: string, body: () => Promise<unknown>) => Promise<unknown>

export type SocketServer = { readonly close: () => Promise<void> }

/** Offers verbs as JSON over HTTP on a unix socket that only its owner may open. */
export async function serveSocket(path: string, verbs: Verbs): Promise<SocketServer> {
  await rm(path, { force: true })
  const server = createServer((request, response) => {
    const verb = `${request.method} ${request.url}`
    verbs(verb, () => readBody(request)).then(
      (answer) => reply(response, 200, answer),
      (error: unknown) => {
        const refusal = error instanceof Refusal ? error : undefined
        const message = error instanceof Error ? error.message : String(error)
        reply(response, refusal?.status ?? 500, { error: { code: refusal?.code ?? "internal", message } })
      },
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(path, resolve)
  })
  await chmod(path, 0o600)
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Whether somebody answers behind a socket's file. */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > mostBody) throw new Refusal(413, "too-large", `the order is larger than ${mostBody} bytes`)
    chunks.push(chunk as Buffer)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"))
  } catch (error) {
    throw new Refusal(
      400,
      "bad-json",
      `the order is not JSON: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

function reply(response: ServerResponse, status: number, answer: unknown): void {
  const body = JSON.stringify(answer)
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  })
  response.end(body)
}
