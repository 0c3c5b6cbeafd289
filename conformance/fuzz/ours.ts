import { Socket } from "node:net"
import { BadMessage } from "../../src/router/bad-message.ts"
import { defaultLimits } from "../../src/router/limits.ts"
import { RequestBody } from "../../src/router/request-body.ts"
import { type RequestHead, readRequestHead } from "../../src/router/request-head.ts"
import { writeRequestHead } from "../../src/router/write-head.ts"
import type { Reading, ReadMessage } from "./reading.ts"

const origin = { address: "192.0.2.1", listener: "listener:80", requestId: "id" }

export type OurReading = Reading & {
  /** What an instance would be sent for each whole request. */
  readonly written: readonly Buffer[]
}

/** An instance that takes everything and keeps it. */
class Kept extends Socket {
  readonly parts: Buffer[] = []

  override write(part: string | Uint8Array, encoding?: unknown): boolean {
    this.parts.push(
      typeof part === "string"
        ? Buffer.from(part, encoding === "latin1" ? "latin1" : "utf8")
        : Buffer.from(part),
    )
    return true
  }
}

/**
 * Reads bytes with the router's parser, as a connection of a client does, in the pieces that `cuts` make of
 * them: places in the bytes, ascending.
 */
export function readWithOurs(bytes: Buffer, cuts: readonly number[] = []): OurReading {
  const reader = new OurReader(said[bytes.length % said.length])
  let from = 0
  for (const to of [...cuts, bytes.length]) {
    reader.feed(bytes.subarray(from, to))
    from = to
  }
  return reader.reading(bytes.length)
}

/** What the connection has said before: lines that come again at the same place are read by comparing them. */
const said = ["Content-Length: 5", "Transfer-Encoding: chunked", "Connection: close"].map(
  (line) => readRequestHead(Buffer.from(`POST / HTTP/1.1\r\nHost: x\r\n${line}\r\n\r\n`), 0)?.head,
)

type UnderWay = { readonly head: RequestHead; readonly body: RequestBody; readonly instance: Kept }

class OurReader {
  readonly #messages: ReadMessage[] = []
  readonly #written: Buffer[] = []
  #pending: Buffer = Buffer.alloc(0)
  #consumed = 0
  #now: UnderWay | undefined
  #refused: string | undefined
  #closed = false
  #before: RequestHead | undefined

  constructor(before: RequestHead | undefined) {
    this.#before = before
  }

  feed(piece: Buffer): void {
    if (this.#refused !== undefined || this.#closed) return
    this.#pending = this.#pending.length === 0 ? piece : Buffer.concat([this.#pending, piece])
    try {
      while (!this.#closed && this.#step());
    } catch (error) {
      if (!(error instanceof BadMessage)) throw error
      this.#refused = error.message
    }
  }

  reading(length: number): OurReading {
    const messages = this.#messages
    const written = this.#written
    if (this.#refused !== undefined)
      return { messages, written, stopped: { kind: "refused", because: this.#refused } }
    if (this.#closed) return { messages, written, stopped: { kind: "closed" } }
    const isAll = this.#now === undefined && this.#consumed === length
    return { messages, written, stopped: { kind: isAll ? "finished" : "waiting" } }
  }

  /** One head, or what there is of its body. False: more bytes are needed. */
  #step(): boolean {
    if (!this.#now) {
      const read = readRequestHead(this.#pending, 0, defaultLimits, this.#before)
      if (!read) return false
      this.#before = read.head
      const instance = new Kept()
      instance.write(writeRequestHead(read.head, origin), "latin1")
      this.#now = { head: read.head, body: new RequestBody(read.head.framing), instance }
      this.#take(read.end)
    }
    const { head, body, instance } = this.#now
    if (!body.done) {
      this.#take(body.read(this.#pending))
      body.flush(instance)
      if (!body.done) return false
    }
    this.#now = undefined
    const written = Buffer.concat(instance.parts)
    this.#written.push(written)
    this.#messages.push({
      method: head.method,
      target: head.target,
      minor: head.minor,
      fields: head.fields.map(({ lower, value }) => [lower, value]),
      body: contentOf(written, head),
      keepAlive: head.keepAlive,
      end: this.#consumed,
    })
    this.#closed = !head.keepAlive || head.upgrade !== undefined
    return this.#pending.length > 0
  }

  #take(bytes: number): void {
    this.#pending = this.#pending.subarray(bytes)
    this.#consumed += bytes
  }
}

/** The content that was written, its chunks joined: they are ours, so a simple reader is enough. */
function contentOf(written: Buffer, { framing }: RequestHead): string {
  const text = written.toString("latin1")
  let at = text.indexOf("\r\n\r\n") + 4
  if (framing.kind !== "chunked") return text.slice(at)
  let content = ""
  for (;;) {
    const end = text.indexOf("\r\n", at)
    const size = Number.parseInt(text.slice(at, end), 16)
    if (!(size > 0)) return content
    content += text.slice(end + 2, end + 2 + size)
    at = end + 2 + size + 2
  }
}
