import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { type Answer, readAnswers } from "./read-answers.ts"
import type { Cleanup } from "./waiting.ts"

export type Address = { readonly host: string; readonly port: number }

/** A client that speaks bytes and keeps all that comes back. */
export class Client {
  readonly socket: Socket
  #parts: Buffer[] = []
  #methods: readonly string[] = []
  /** How it ended: by the other side, calmly, or by a reset. */
  state: "open" | "ended" | "reset" = "open"
  bytes = 0
  #wake = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    for (const event of ["data", "end", "error", "close"] as const) socket.on(event, () => this.#wake())
    socket.on("data", (chunk: Buffer) => {
      this.bytes += chunk.length
      if (this.bytes < 4_000_000) this.#parts.push(chunk)
    })
    socket.on("end", () => {
      this.state = "ended"
    })
    socket.on("error", () => {
      if (this.state === "open") this.state = "reset"
    })
    socket.on("close", () => {
      if (this.state === "open") this.state = "reset"
    })
  }

  /** Rejects when nobody listens. `from`: its own address, such as 127.0.0.2. */
  static async connect(to: Address, cleanup: Cleanup, from?: string): Promise<Client> {
    const socket = connect({
      ...to,
      allowHalfOpen: true,
      noDelay: true,
      ...(from === undefined ? {} : { localAddress: from }),
    })
    cleanup.add(() => socket.destroy())
    await once(socket, "connect")
    return new Client(socket)
  }

  /** One character for each byte. `methods`: of the requests in it, so that their answers can be read. */
  send(text: string, ...methods: readonly string[]): void {
    this.#methods = [...this.#methods, ...methods]
    if (!this.socket.destroyed) this.socket.write(text, "latin1")
  }

  get text(): string {
    const all = Buffer.concat(this.#parts)
    this.#parts = [all]
    return all.toString("latin1")
  }

  /** What came so far. Throws on what is no answer. */
  get answers(): readonly Answer[] {
    return readAnswers(this.text, this.#methods, this.state !== "open")
  }

  /** Without 1xx. */
  get finals(): readonly Answer[] {
    return this.answers.filter((answer) => answer.status >= 200 || answer.status === 101)
  }

  /** Waits for that many whole answers, or until the connection is over or the time. */
  async settled(count = 1, ms = 10_000): Promise<readonly Answer[]> {
    const deadline = performance.now() + ms
    for (;;) {
      const { finals } = this
      const isDone = this.state !== "open" || finals.filter((answer) => answer.isWhole).length >= count
      const left = deadline - performance.now()
      if (isDone || left <= 0) return finals
      await this.#next(left)
    }
  }

  /** What has been answered is not kept any longer. */
  forget(): void {
    this.#parts = []
    this.#methods = []
    this.bytes = 0
  }

  #next(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        // After those who keep what has come.
        setImmediate(resolve)
      }
    })
  }
}
