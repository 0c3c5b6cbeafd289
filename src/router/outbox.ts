import type { Socket } from "node:net"

/** What is copied together into one piece; more is cheaper to send as pieces. */
const mostCopied = 16 * 1024

/** Gathers what one turn has for a socket and sends it in one go. */
export class Outbox {
  #parts: (string | Buffer)[] = []
  #size = 0

  push(part: string | Buffer): void {
    this.#parts.push(part)
    this.#size += part.length
  }

  /** One chunk of a chunked body. */
  pushChunk(content: Buffer): void {
    this.push(`${content.length.toString(16)}\r\n`)
    this.push(content)
    this.push("\r\n")
  }

  /** Returns false when the socket asks to wait for its drain. */
  flush(socket: Socket): boolean {
    const parts = this.#parts
    const size = this.#size
    const [first] = parts
    if (first === undefined) return !socket.writableNeedDrain
    this.#parts = []
    this.#size = 0
    if (parts.length === 1)
      return typeof first === "string" ? socket.write(first, "latin1") : socket.write(first)
    if (size <= mostCopied) return socket.write(joined(parts), "latin1")
    socket.cork()
    let free = true
    for (const part of parts)
      free = typeof part === "string" ? socket.write(part, "latin1") : socket.write(part)
    socket.uncork()
    return free
  }
}

/** As text of one byte each: for small pieces that is cheaper than a buffer of their own. */
function joined(parts: readonly (string | Buffer)[]): string {
  let text = ""
  for (const part of parts) text += typeof part === "string" ? part : part.toString("latin1")
  return text
}
