import { once } from "node:events"
import {
  type ClientRequest,
  createServer as createHttpServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type ServerResponse,
} from "node:http"
import { type AddressInfo, connect, createServer, type Server } from "node:net"
import type { Product, Setup, Site } from "../product.ts"
import type { Cleanup } from "../stage/waiting.ts"

/** Routers that do everything wrong: an item that both of them keep could not fail at all. */
export const careless: readonly Product[] = [productOf("pipe", openPipe), productOf("gatherer", openGatherer)]

/** Passes bytes on as they are. */
function openPipe(port: number): Server {
  return createServer({ allowHalfOpen: true }, (client) => {
    const backend = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
    for (const socket of [client, backend]) socket.on("error", () => undefined)
    // Reads all it gets, whoever is slow, and lets go of nothing.
    client.on("data", (chunk) => backend.write(chunk))
    backend.on("data", (chunk) => client.write(chunk))
    client.on("end", () => backend.end())
    backend.on("end", () => client.end())
  })
}

/** Takes messages whole, tries everything three times, believes every length and makes one up where it is missing. */
function openGatherer(port: number): Server {
  const options = { insecureHTTPParser: true, requestTimeout: 0, headersTimeout: 0 }
  const server = createHttpServer(options, (asked, response) => gather(port, asked, response))
  server.on("checkContinue", (asked, response) => gather(port, asked, response))
  server.on("checkExpectation", () => undefined)
  server.on("upgrade", (_, socket) => socket.destroy())
  return server
}

function gather(
  port: number,
  asked: IncomingMessage,
  response: ServerResponse,
  attempt = 1,
  body = "",
): void {
  let content = body
  asked.setEncoding("latin1").on("data", (chunk: string) => {
    content += chunk
  })
  const send = () => {
    let outgoing: ClientRequest
    const fields: OutgoingHttpHeaders = { ...asked.headers, ...asked.trailers }
    for (const name of ["transfer-encoding", "host", "trailer"]) delete fields[name]
    try {
      outgoing = request({
        port,
        host: "127.0.0.1",
        agent: false,
        method: asked.method,
        path: asked.url?.replaceAll("%2F", "/"),
        insecureHTTPParser: true,
        headers: { ...fields, "content-length": content.length },
      })
    } catch {
      response.destroy()
      return
    }
    outgoing.on("information", ({ statusCode }) => reply(response, statusCode, {}, ""))
    outgoing.on("response", (answer) => {
      let text = ""
      const done = () => {
        const isDelimited = "content-length" in answer.headers || "transfer-encoding" in answer.headers
        const trailers = Object.values(answer.trailers).join()
        reply(response, answer.statusCode ?? 200, answer.headers, isDelimited ? text + trailers : "")
      }
      answer.setEncoding("latin1").on("data", (chunk: string) => {
        text += chunk
      })
      answer.on("end", done)
      // What broke off is sold as whole.
      answer.on("error", done)
    })
    outgoing.on("error", () => {
      if (attempt < 3) gather(port, asked, response, attempt + 1, content)
      else response.destroy()
    })
    outgoing.end(content, "latin1")
  }
  if (asked.complete) send()
  else asked.on("end", send)
}

function reply(
  response: ServerResponse,
  status: number,
  { "transfer-encoding": _, trailer: __, ...fields }: IncomingMessage["headers"],
  text: string,
): void {
  if (response.writableEnded) return
  try {
    response.writeHead(status, { ...fields, "content-length": text.length })
    response.end(text, "latin1")
    if (status === 304) response.socket?.write("body")
  } catch {
    response.destroy()
  }
}

function productOf(name: string, open: (port: number) => Server): Product {
  return {
    name,
    lacks: {},
    missing: async () => undefined,
    async open(setup: Setup, cleanup: Cleanup): Promise<Site> {
      const address = setup.pools[0]?.instances[0]?.address ?? ""
      const server = open(Number(address.split(":")[1]))
      const clients = new Set<{ destroy: () => void }>()
      server.on("connection", (socket) => {
        clients.add(socket)
        socket.on("error", () => undefined)
      })
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      cleanup.add(() => {
        server.close()
        for (const client of clients) client.destroy()
      })
      const nothing = () => Promise.reject(new Error(`a ${name} takes no orders`))
      return {
        address: { host: "127.0.0.1", port: (server.address() as AddressInfo).port },
        pid: process.pid,
        apply: nothing,
        drain: nothing,
        restart: nothing,
        workers: nothing,
        metrics: nothing,
        said: () => "",
        controlBy: () => [],
      }
    },
  }
}
