import { once } from "node:events"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { fieldOf } from "./read-answers.ts"
import type { Cleanup } from "./waiting.ts"

/** A request as it reached the backend. */
export type Seen = {
  /** Which of its connections, from 1. */
  readonly connection: number
  readonly method: string
  readonly target: string
  readonly version: string
  /** The head's bytes. */
  readonly head: string
  /** Name in lower case and value. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** The first 64 KiB of the content. */
  body: string
  bodyBytes: number
  trailers: string
  isWhole: boolean
  /** Milliseconds of a monotonic clock. */
  readonly at: number
  readonly socket: Socket
}

export type Behaviour = (request: Seen) => void

const mostBody = 64 * 1024

/** Sends an answer with a length. */
export function answer(request: Seen, body: string, more = "", status = "200 OK"): void {
  const content = request.method === "HEAD" ? "" : body
  request.socket.write(`HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n${more}\r\n${content}`)
}

/** A server on raw sockets that keeps what reaches it, byte for byte, and answers as an item wants it to. */
export class Backend {
  readonly address: string
  readonly port: number
  readonly #server: Server
  readonly sockets = new Set<Socket>()
  requests: Seen[] = []
  /** All bytes that came, by connection. */
  raw = new Map<number, string>()
  opened = 0
  /** When a head is there, before its body. */
  onHead: Behaviour = () => {}
  /** When a whole request is there. */
  onRequest: Behaviour
  /** When a connection comes; true: it speaks no HTTP. */
  onConnection: (socket: Socket) => boolean = () => false
  readonly #usual: Behaviour

  private constructor(server: Server, name: string) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    this.address = `127.0.0.1:${this.port}`
    this.#usual = (request) => answer(request, name)
    this.onRequest = this.#usual
    server.on("connection", (socket) => this.#accept(socket))
  }

  static async open(cleanup: Cleanup, name = "ok"): Promise<Backend> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    server.listen(0, "127.0.0.1", 4_096)
    await once(server, "listening")
    const backend = new Backend(server, name)
    cleanup.add(() => backend.close())
    return backend
  }

  /** Forgets everything and ends its connections: the next item begins anew. */
  reset(): void {
    for (const socket of this.sockets) socket.destroy()
    this.requests = []
    this.raw = new Map()
    this.opened = 0
    this.onHead = () => {}
    this.onRequest = this.#usual
    this.onConnection = () => false
  }

  /** Whole requests that came. */
  get whole(): readonly Seen[] {
    return this.requests.filter((request) => request.isWhole)
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.sockets) socket.destroy()
    await closed
  }

  #accept(socket: Socket): void {
    this.opened += 1
    this.sockets.add(socket)
    socket.on("error", () => undefined)
    socket.on("close", () => this.sockets.delete(socket))
    if (this.onConnection(socket)) return
    socket.on("end", () => socket.end())
    const reader = new RequestReader(socket, this.opened, this)
    const connection = this.opened
    socket.on("data", (chunk: Buffer) => {
      const before = this.raw.get(connection) ?? ""
      if (before.length < 1_000_000) this.raw.set(connection, before + chunk.toString("latin1"))
      reader.take(chunk)
    })
  }
}

/** Reads what a router sends: as strict as it must be to notice what a router should not have sent. */
class RequestReader {
  readonly #socket: Socket
  readonly #connection: number
  readonly #backend: Backend
  #pending: Buffer = Buffer.alloc(0)
  #request: Seen | undefined
  #left = 0
  #chunks: "size" | "data" | "trailer" | undefined

  constructor(socket: Socket, connection: number, backend: Backend) {
    this.#socket = socket
    this.#connection = connection
    this.#backend = backend
  }

  take(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    while (this.#step());
  }

  #step(): boolean {
    if (this.#pending.length === 0) return false
    if (!this.#request) return this.#head()
    if (this.#chunks === "size" || this.#chunks === "trailer") return this.#line(this.#request)
    return this.#data(this.#request)
  }

  #head(): boolean {
    const end = this.#pending.indexOf("\r\n\r\n")
    if (end === -1) return false
    const head = this.#pending.toString("latin1", 0, end)
    this.#pending = this.#pending.subarray(end + 4)
    const [line = "", ...lines] = head.split("\r\n")
    const [method = "", target = "", version = ""] = line.split(" ")
    const fields = lines.map((one): readonly [string, string] => {
      const colon = one.indexOf(":")
      return [one.slice(0, colon).toLowerCase(), one.slice(colon + 1).trim()]
    })
    const request: Seen = {
      connection: this.#connection,
      method,
      target,
      version,
      head,
      fields,
      body: "",
      bodyBytes: 0,
      trailers: "",
      isWhole: false,
      at: performance.now(),
      socket: this.#socket,
    }
    this.#backend.requests.push(request)
    this.#request = request
    this.#chunks = fieldOf(request, "transfer-encoding") === undefined ? undefined : "size"
    this.#left = this.#chunks ? 0 : Number(fieldOf(request, "content-length") ?? 0)
    this.#backend.onHead(request)
    if (!this.#chunks && this.#left === 0) this.#whole(request)
    return true
  }

  #line(request: Seen): boolean {
    const end = this.#pending.indexOf("\r\n")
    if (end === -1) return false
    const line = this.#pending.toString("latin1", 0, end)
    this.#pending = this.#pending.subarray(end + 2)
    if (this.#chunks === "trailer") {
      if (line === "") this.#whole(request)
      else request.trailers += `${line}\n`
      return true
    }
    if (line === "" && this.#left === 0) return true
    this.#left = Number.parseInt(line, 16)
    if (Number.isNaN(this.#left)) {
      this.#socket.destroy()
      return false
    }
    this.#chunks = this.#left === 0 ? "trailer" : "data"
    return true
  }

  #data(request: Seen): boolean {
    const part = this.#pending.subarray(0, this.#left)
    this.#pending = this.#pending.subarray(part.length)
    this.#left -= part.length
    request.bodyBytes += part.length
    if (request.body.length < mostBody) request.body += part.toString("latin1")
    if (this.#left > 0) return false
    if (this.#chunks) this.#chunks = "size"
    else this.#whole(request)
    return true
  }

  #whole(request: Seen): void {
    this.#request = undefined
    this.#chunks = undefined
    request.isWhole = true
    this.#backend.onRequest(request)
  }
}
