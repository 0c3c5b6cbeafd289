import { connect, createServer, type Server, type Socket } from "node:net"

/** The way to a PostgreSQL's socket over the network, on which whoever tests it can lose what is said. */
export class Wire {
  readonly #socket: string
  readonly #open = new Set<Socket>()
  #server: Server | undefined
  #lost: { readonly text: string; readonly what: "question" | "answer" } | undefined
  /** How often each was asked for. */
  readonly #asked: string[] = []
  /** Connections so far. */
  connections = 0

  constructor(socket: string) {
    this.#socket = socket
  }

  /** The address of a database of that server by this way. */
  async url(database: string): Promise<string> {
    const server = createServer((client) => this.#carry(client))
    this.#server = server
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const address = server.address()
    const port = typeof address === "object" ? address?.port : undefined
    return `postgres://immunity@127.0.0.1:${port}/${database}`
  }

  asked(text: string): number {
    return this.#asked.filter((asked) => asked.includes(text)).length
  }

  /** The next connection that asks for this is dead from then on, and nobody is told. */
  swallows(text: string): void {
    this.#lost = { text, what: "question" }
  }

  /** The next connection that asks for this ends instead of hearing the answer. */
  losesAnswerTo(text: string): void {
    this.#lost = { text, what: "answer" }
  }

  close(): void {
    for (const socket of this.#open) socket.destroy()
    this.#server?.close()
  }

  #carry(client: Socket): void {
    this.connections++
    const server = connect(this.#socket)
    let state: "carries" | "dead" | "ends" = "carries"
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#open.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => {
        this.#open.delete(socket)
        if (state !== "dead" || socket === client) other.destroy()
      })
    }
    client.on("data", (said) => {
      const text = said.toString("latin1")
      this.#asked.push(text)
      if (this.#lost && text.includes(this.#lost.text)) {
        state = this.#lost.what === "question" ? "dead" : "ends"
        this.#lost = undefined
      }
      if (state !== "dead") server.write(said)
    })
    server.on("data", (said) => {
      if (state === "carries") client.write(said)
      if (state === "ends") client.destroy()
    })
  }
}
