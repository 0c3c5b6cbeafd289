import type { Socket } from "node:net"
import type { Field } from "./fields.ts"
import { bodyToClose, chunkedBody, type Framing, noBody } from "./framing.ts"
import { Outbox } from "./outbox.ts"
import type { ResponseHead } from "./response-head.ts"
import { writeResponseHead, writeTrailers } from "./write-head.ts"

/** An answer on its way to the client, framed as this client understands it. */
export class Answer {
  readonly #minor: 0 | 1
  readonly #out = new Outbox()
  #framing: Framing = noBody
  /** Whether another request may follow on the connection. */
  keep = false

  constructor(minor: 0 | 1) {
    this.#minor = minor
  }

  /** 1xx, which HTTP/1.0 does not know. */
  interim(head: ResponseHead): void {
    if (this.#minor === 0) return
    this.#out.push(writeResponseHead(head, { framing: noBody, close: false, keepAlive: false, extra: "" }))
  }

  /** `extra`: whole header lines of the router's own. */
  begin(head: ResponseHead, mayKeep: boolean, extra: string): void {
    this.#framing = this.#framingFor(head.framing)
    this.keep = mayKeep && this.#framing.kind !== "close"
    const keepAlive = this.keep && this.#minor === 0
    this.#out.push(writeResponseHead(head, { framing: this.#framing, close: !this.keep, keepAlive, extra }))
  }

  content(content: Buffer): void {
    if (this.#framing.kind === "chunked") this.#out.pushChunk(content)
    else this.#out.push(content)
  }

  end(trailers: readonly Field[]): void {
    if (this.#framing.kind === "chunked") this.#out.push(writeTrailers(trailers))
  }

  /** Sends what there is; false when the client asks to wait. */
  flush(client: Socket): boolean {
    return this.#out.flush(client)
  }

  #framingFor(framing: Framing): Framing {
    if (framing.kind === "none" || framing.kind === "length") return framing
    return this.#minor === 1 ? chunkedBody : bodyToClose
  }
}
