import type { Socket } from "node:net"
import { BodyReader } from "./body-reader.ts"
import { type Framing, noBody } from "./framing.ts"
import { Outbox } from "./outbox.ts"
import { writeTrailers } from "./write-head.ts"

/** The content of a request on its way to an instance, in new chunks where it has chunks. */
export class RequestBody {
  readonly #reader: BodyReader
  readonly #out = new Outbox()
  readonly #emit: (content: Buffer) => void
  readonly #isChunked: boolean

  constructor(framing: Framing) {
    this.#reader = new BodyReader(framing)
    this.#isChunked = framing.kind === "chunked"
    this.#emit = (content) => (this.#isChunked ? this.#out.pushChunk(content) : this.#out.push(content))
  }

  get done(): boolean {
    return this.#reader.done
  }

  /** Takes what belongs to the body; returns where it stopped. Throws a BadMessage on broken chunks. */
  read(buffer: Buffer): number {
    const at = this.#reader.feed(buffer, 0, this.#emit)
    if (this.#reader.done && this.#isChunked) this.#out.push(writeTrailers(this.#reader.trailers))
    return at
  }

  /** Sends what was read; false when the instance asks to wait. */
  flush(instance: Socket): boolean {
    return this.#out.flush(instance)
  }
}

/** Of all requests that have none. */
export const withoutBody = new RequestBody(noBody)
