import { connect, type Socket } from "node:net"
import { BadMessage } from "./bad-message.ts"
import { BodyReader } from "./body-reader.ts"
import type { Field } from "./fields.ts"
import type { Address } from "./read-table.ts"
import { type ResponseHead, readResponseHead } from "./response-head.ts"
import { type Arrival, type Arriving, round } from "./round.ts"

/**
 * Why a connection to an instance gave no whole answer. `bad-response`: what came cannot be understood. `silent`: it
 * answers nobody any more. `exhausted`: this machine had no file, port or memory left for a connection, which says
 * nothing about the instance.
 */
export type UpstreamFailure = "connect" | "reset" | "bad-response" | "silent" | "exhausted"

const ofThisMachine = new Set(["EMFILE", "ENFILE", "EADDRNOTAVAIL", "ENOBUFS", "ENOMEM"])

const isExhaustion = (error: Error): boolean =>
  "code" in error && typeof error.code === "string" && ofThisMachine.has(error.code)

/** Who waits for the answer on a connection. After `ended`, `upgraded` or `failed` it hears nothing more. */
export interface Receiver {
  connected(): void
  /** 1xx before the answer itself. */
  interim(head: ResponseHead): void
  head(head: ResponseHead): void
  content(content: Buffer): void
  /** All of the answer is here. The connection is the receiver's to recycle or destroy. */
  ended(trailers: readonly Field[]): void
  /** 101: the socket is the receiver's, with what came after the head. */
  upgraded(head: ResponseHead, socket: Socket, early: Buffer): void
  failed(failure: UpstreamFailure, because: string): void
  /** The instance takes more of the request. */
  drained(): void
  /** The piece that arrived has been read: send on what it gave. */
  flush(): void
}

const mostInterim = 16

/**
 * Where all connections read to, one at a time; what came is copied out of it at once. A buffer for each piece, as
 * large as the largest one might be, costs several times as much.
 */
const inbox = Buffer.allocUnsafeSlow(64 * 1024)

/** One connection to an instance: one request after the other, each answer read strictly. */
export class Upstream implements Arriving {
  readonly socket: Socket
  readonly #onIdleEnd: (upstream: Upstream) => void
  #receiver: Receiver | undefined
  #method = "GET"
  #pending: Buffer | undefined
  #head: ResponseHead | undefined
  #before: ResponseHead | undefined
  #body: BodyReader | undefined
  #interims = 0
  #isConnected = false
  #isClean = false
  #isTaken = false
  /** What the socket brought and waits for the end of the round. */
  #queued = 0
  readonly #emit: (content: Buffer) => void
  /** It has carried a whole request and answer before. */
  reused = false
  /** A byte of the current answer has come. */
  sawBytes = false
  /** When it became idle. */
  idleSince = 0

  constructor(address: Address, onIdleEnd: (upstream: Upstream) => void) {
    this.#onIdleEnd = onIdleEnd
    this.#emit = (content) => this.#receiver?.content(content)
    this.socket = connect({
      host: address.host,
      port: address.port,
      allowHalfOpen: true,
      noDelay: true,
      onread: { buffer: inbox, callback: (size) => this.#came(size) },
    })
    this.socket.on("connect", () => {
      this.#isConnected = true
      this.#receiver?.connected()
    })
    this.socket.on("drain", () => this.#receiver?.drained())
    this.socket.on("end", () => this.#inOrder("end"))
    this.socket.on("error", (error) => this.#inOrder(error))
    this.socket.on("close", () => this.#inOrder("close"))
  }

  /** So many bytes are in the inbox. */
  #came(size: number): boolean {
    const chunk = Buffer.allocUnsafe(size)
    inbox.copy(chunk, 0, 0, size)
    this.brought(chunk)
    return true
  }

  /** The socket has brought this. */
  brought(chunk: Buffer): void {
    if (this.#isTaken) this.socket.emit("data", chunk)
    // What nobody has asked for is dropped at once: in a moment somebody might be waiting.
    else if (this.#receiver && !this.#isClean) this.#queue(chunk)
    else this.#arrived(chunk)
  }

  #queue(what: Arrival): void {
    this.#queued += 1
    round.add(this, what)
  }

  /** After all that came before it. */
  #inOrder(what: Arrival): void {
    if (this.#queued > 0) this.#queue(what)
    else this.#heard(what)
  }

  arrive(what: Arrival): void {
    this.#queued -= 1
    if (!this.#isTaken) this.#heard(what)
    // A tunnel has the socket since; it must not miss what came in the same round.
    else if (Buffer.isBuffer(what)) this.socket.emit("data", what)
    else if (what === "end") this.socket.emit("end")
  }

  #heard(what: Arrival): void {
    if (Buffer.isBuffer(what)) this.#arrived(what)
    else if (what === "end") this.#finished()
    else if (what === "close")
      this.#fail(this.#isConnected ? "reset" : "connect", "the connection was closed")
    else if (this.#isConnected) this.#fail("reset", what.message)
    else this.#fail(isExhaustion(what) ? "exhausted" : "connect", what.message)
  }

  /** Takes the connection for one request. `connected` is called at once when it already is. */
  use(receiver: Receiver, method: string): void {
    this.#receiver = receiver
    this.#method = method
    this.#head = undefined
    this.#body = undefined
    this.#interims = 0
    this.#isClean = false
    this.sawBytes = false
    if (this.#isConnected) receiver.connected()
  }

  /** After `ended`: whether another request may follow. */
  get isReusable(): boolean {
    return (
      this.#isClean &&
      // What came after the end of the answer makes it unfit for another one.
      this.#queued === 0 &&
      (this.#head?.keepAlive ?? false) &&
      !this.socket.destroyed &&
      !this.socket.readableEnded
    )
  }

  /** Gives it back to be idle. */
  rest(now: number): void {
    this.#receiver = undefined
    this.reused = true
    this.idleSince = now
    if (this.socket.isPaused()) this.socket.resume()
  }

  /** Ends it; the receiver hears nothing of it. */
  destroy(): void {
    this.#receiver = undefined
    this.socket.destroy()
  }

  #arrived(chunk: Buffer): void {
    const receiver = this.#receiver
    if (!receiver || this.#isClean) {
      // Bytes after the end of an answer belong to nobody; the next client must never see them.
      this.#isClean = false
      if (!receiver) this.#drop()
      return
    }
    this.sawBytes = true
    try {
      this.#read(this.#pending ? Buffer.concat([this.#pending, chunk]) : chunk)
    } catch (error) {
      if (!(error instanceof BadMessage)) throw error
      receiver.flush()
      this.#fail("bad-response", error.message)
      return
    }
    receiver.flush()
  }

  #read(buffer: Buffer): void {
    this.#pending = undefined
    let at = 0
    while (at < buffer.length && this.#receiver) {
      if (this.#body) {
        at = this.#body.feed(buffer, at, this.#emit)
      } else {
        const read = readResponseHead(buffer, at, this.#method, this.#before)
        if (!read) {
          this.#pending = buffer.subarray(at)
          return
        }
        at = read.end
        this.#before = read.head
        if (!this.#take(read.head, buffer, at)) return
        if (!this.#body) continue
      }
      if (this.#body.done) {
        this.#isClean = at === buffer.length
        const { trailers } = this.#body
        this.#receiver?.ended(trailers)
        return
      }
    }
  }

  /** Returns false when the rest of the stream is not ours any more. */
  #take(head: ResponseHead, buffer: Buffer, at: number): boolean {
    const receiver = this.#receiver
    if (!receiver) return false
    if (head.status === 101) {
      const { socket } = this
      this.#receiver = undefined
      this.#isTaken = true
      for (const event of ["connect", "drain", "end", "error", "close"]) socket.removeAllListeners(event)
      receiver.upgraded(head, socket, buffer.subarray(at))
      return false
    }
    if (head.status < 200) {
      this.#interims += 1
      if (this.#interims > mostInterim) throw new BadMessage(502, "bad-response", "too many interim answers")
      receiver.interim(head)
      return true
    }
    this.#head = head
    this.#body = new BodyReader(head.framing)
    receiver.head(head)
    return true
  }

  /** The instance sends no more. */
  #finished(): void {
    const receiver = this.#receiver
    if (receiver && this.#head?.framing.kind === "close" && !this.#isClean) {
      receiver.ended([])
      receiver.flush()
      return
    }
    if (receiver && this.#body?.done) return
    this.#fail("reset", "the connection ended before the answer did")
  }

  #fail(failure: UpstreamFailure, because: string): void {
    const receiver = this.#receiver
    this.#drop()
    receiver?.failed(failure, because)
  }

  #drop(): void {
    this.#receiver = undefined
    this.socket.destroy()
    this.#onIdleEnd(this)
  }
}
