import { badRequest } from "./bad-message.ts"
import { type Field, readFields } from "./fields.ts"
import type { Framing } from "./framing.ts"

const mostSizeDigits = 16
const mostExtension = 1_024
const mostTrailer = 8 * 1024

/** `a;b=c;d="e"`, without any space: what RFC 9112 7.1.1 calls bad is refused. They are not passed on. */
const extension =
  /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"[\x21\x23-\x3a\x3c-\x5b\x5d-\x7e]*"))?$/

/** As a trailer they would tell one reader something and the next one nothing. */
const neverTrailer = new Set(["content-length", "transfer-encoding", "host", "connection", "upgrade"])

type State = "data" | "size" | "extension" | "size-end" | "chunk-cr" | "chunk-lf" | "trailer" | "done"

/** Takes a body out of a stream of bytes: what is content, and exactly where it ends. */
export class BodyReader {
  readonly #framing: Framing
  #state: State
  #left: number
  #digits = 0
  #extension = ""
  #tail = ""
  /** Fields after a chunked body; empty until it is done. */
  trailers: readonly Field[] = []

  constructor(framing: Framing) {
    this.#framing = framing
    this.#left =
      framing.kind === "length" ? framing.bytes : framing.kind === "close" ? Number.POSITIVE_INFINITY : 0
    this.#state = framing.kind === "none" ? "done" : framing.kind === "chunked" ? "size" : "data"
  }

  get done(): boolean {
    return this.#state === "done"
  }

  /** Hands content to `out` as slices; returns where it stopped. Throws a BadMessage on broken chunks. */
  feed(buffer: Buffer, from: number, out: (content: Buffer) => void): number {
    let at = from
    while (at < buffer.length && this.#state !== "done") {
      if (this.#state === "data") at = this.#data(buffer, at, out)
      else if (this.#state === "trailer") at = this.#trailer(buffer, at)
      else {
        this.#control(buffer[at] ?? 0)
        at += 1
      }
    }
    return at
  }

  #data(buffer: Buffer, at: number, out: (content: Buffer) => void): number {
    const end = Math.min(buffer.length, at + this.#left)
    this.#left -= end - at
    if (this.#left === 0) this.#state = this.#framing.kind === "chunked" ? "chunk-cr" : "done"
    out(at === 0 && end === buffer.length ? buffer : buffer.subarray(at, end))
    return end
  }

  /** The bytes between content: sizes and line ends. */
  #control(byte: number): void {
    switch (this.#state) {
      case "size": {
        const digit = hex(byte)
        if (digit >= 0) {
          this.#digits += 1
          this.#left = this.#left * 16 + digit
          if (this.#digits > mostSizeDigits || this.#left > Number.MAX_SAFE_INTEGER)
            throw badRequest("a chunk is too large")
          return
        }
        if (this.#digits === 0) throw badRequest("a chunk has no size")
        if (byte === 0x0d) this.#state = "size-end"
        else if (byte === 0x3b) this.#state = "extension"
        else throw badRequest("a chunk size is not plain hexadecimal")
        return
      }
      case "extension":
        if (byte !== 0x0d) {
          this.#extension += String.fromCharCode(byte)
          if (this.#extension.length > mostExtension) throw badRequest("chunk extensions are too long")
          return
        }
        if (!this.#extension.split(";").every((one) => extension.test(one)))
          throw badRequest("a chunk extension is not understood")
        this.#extension = ""
        this.#state = "size-end"
        return
      case "size-end":
        if (byte !== 0x0a) throw badRequest("a chunk size does not end in CRLF")
        this.#state = this.#left === 0 ? "trailer" : "data"
        return
      case "chunk-cr":
        if (byte !== 0x0d) throw badRequest("a chunk does not end in CRLF")
        this.#state = "chunk-lf"
        return
      case "chunk-lf":
        if (byte !== 0x0a) throw badRequest("a chunk does not end in CRLF")
        this.#digits = 0
        this.#left = 0
        this.#state = "size"
        return
    }
  }

  /** Collects until the empty line that ends the message. */
  #trailer(buffer: Buffer, at: number): number {
    const before = this.#tail.length
    this.#tail += buffer.toString("latin1", at, Math.min(buffer.length, at + mostTrailer + 4 - before))
    const ends = this.#tail.startsWith("\r\n") ? 0 : this.#tail.indexOf("\r\n\r\n")
    if (ends === -1) {
      if (this.#tail.length > mostTrailer) throw badRequest("the trailer is too large")
      return buffer.length
    }
    const size = ends === 0 ? 2 : ends + 4
    if (ends > 0) this.trailers = readFields(this.#tail.slice(0, ends + 2), 0, 64)
    if (this.trailers.some(({ lower }) => neverTrailer.has(lower)))
      throw badRequest("a trailer tells how to read the message")
    this.#state = "done"
    return at + size - before
  }
}

function hex(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
