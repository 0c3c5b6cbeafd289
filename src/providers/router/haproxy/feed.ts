import { rmSync } from "node:fs"
import { createServer, type Server, type Socket } from "node:net"
import { type Line, readLine } from "./line.ts"

/** Longer is not a line of ours. */
const longest = 16_384

/** Where HAProxy, each of its workers, sends its log; it never waits for us. */
export class Feed {
  readonly #path: string
  readonly #onLine: (line: Line) => void
  readonly #server: Server
  readonly #open = new Set<Socket>()

  constructor(path: string, onLine: (line: Line) => void) {
    this.#path = path
    this.#onLine = onLine
    this.#server = createServer((socket) => this.#read(socket)).unref()
  }

  /** Whether any worker of HAProxy can tell us what it does. */
  get isConnected(): boolean {
    return this.#open.size > 0
  }

  listen(): Promise<void> {
    rmSync(this.#path, { force: true })
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject)
      this.#server.listen(this.#path, resolve)
    })
  }

  close(): Promise<void> {
    for (const socket of this.#open) socket.destroy()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  #read(socket: Socket): void {
    let rest = ""
    this.#open.add(socket)
    socket.unref()
    socket.setEncoding("latin1")
    socket.on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n")
      rest = lines.pop() ?? ""
      if (rest.length > longest) rest = ""
      for (const text of lines) {
        const line = readLine(text)
        if (line) this.#onLine(line)
      }
    })
    socket.on("error", () => undefined)
    socket.on("close", () => this.#open.delete(socket))
  }
}
