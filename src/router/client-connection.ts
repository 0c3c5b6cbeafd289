import type { Socket } from "node:net"
import { BadMessage } from "./bad-message.ts"
import type { ClientSide } from "./client-side.ts"
import { Exchange } from "./exchange.ts"
import { type OwnAnswer, writeOwnAnswer } from "./own-answer.ts"
import { type RequestHead, readRequestHead } from "./request-head.ts"
import { type Arrival, type Arriving, round } from "./round.ts"
import type { Route } from "./route.ts"
import { readSwiftly } from "./swift-reading.ts"
import type { Traffic } from "./traffic.ts"

/** Where a client came in: what it is routed by, also when the table changes under it. */
export type Door = {
  /** `127.0.0.1:8103`. */
  readonly address: string
  /** Undefined once the door has closed. */
  readonly route: () => Route | undefined
  /** Clients come in over TLS. */
  readonly isSecure: boolean
}

// Milliseconds after which a client that has ended its half is asked whether it still listens.
const silentFor = 500
/** The first one makes a client's system say that nobody is there; what it said shows with the second one. */
const mostQuestions = 2

/** One connection of a client: its requests in order, one at a time. */
export class ClientConnection implements ClientSide, Arriving {
  readonly socket: Socket
  readonly address: string | undefined
  readonly #traffic: Traffic
  readonly #door: Door
  readonly #onEnd: () => void
  #pending: Buffer | undefined
  #before: RequestHead | undefined
  #exchange: Exchange | undefined
  #phase: "open" | "lingering" | "detached" = "open"
  #deadline: number
  #headBegan = false
  /** It rested for too long when the tick before this one looked. */
  #overdue = false
  #clientEnded = false
  #askAt = Number.POSITIVE_INFINITY
  #questions = 0
  #closing = false
  #pumping = false
  /** What the socket brought and waits for the end of the round. */
  #queued = 0

  constructor(socket: Socket, traffic: Traffic, door: Door, onEnd: () => void) {
    this.socket = socket
    this.address = socket.remoteAddress
    this.#traffic = traffic
    this.#door = door
    this.#onEnd = onEnd
    this.#deadline = traffic.after(traffic.limits.idle)
    readSwiftly(socket)
    socket.on("data", (chunk: Buffer) => {
      this.#queued += 1
      round.add(this, chunk)
    })
    socket.on("drain", () => this.#drained())
    socket.on("end", () => {
      if (this.#queued === 0) this.#ended()
      else {
        this.#queued += 1
        round.add(this, "end")
      }
    })
    socket.on("error", () => undefined)
    socket.on("close", () => this.#closed())
  }

  arrive(what: Arrival): void {
    this.#queued -= 1
    if (this.#phase === "detached") {
      // A tunnel has the socket since; it must not miss what came in the same round.
      if (what === "end") this.socket.emit("end")
      else this.socket.emit("data", what)
    } else if (what === "end") this.#ended()
    else if (Buffer.isBuffer(what)) this.#arrived(what)
  }

  get listener(): string {
    return this.#door.address
  }

  get isSecure(): boolean {
    return this.#door.isSecure
  }

  get mustClose(): boolean {
    return this.#closing || (this.#clientEnded && !this.#pending) || this.#door.route() === undefined
  }

  /**
   * Ends after the next answer. A client that rests keeps its connection for a moment: a request that it is
   * sending right now would be lost otherwise, and it learns that the answer is the last one.
   */
  close(goodbye: number): void {
    this.#closing = true
    if (this.#exchange || this.#phase !== "open" || this.#headBegan) return
    if (this.#door.route() === undefined) this.#linger()
    else this.#deadline = Math.min(this.#deadline, this.#traffic.after(goodbye))
  }

  tick(now: number): void {
    if (this.#exchange) {
      if (now > this.#askAt && this.#questions < mostQuestions) this.#askWhetherThere(this.#exchange)
      return
    }
    if (now <= this.#deadline) return
    if (this.#phase === "open" && this.#headBegan)
      this.#refuse({ status: 408, reason: "slow-request", message: "the request did not arrive in time" })
    // Where we were late ourselves its request may lie here already and only wait to be read: that comes before the
    // next tick.
    else if (this.#phase === "open" && !this.#overdue) this.#overdue = true
    else this.socket.destroy()
  }

  takeBody(): void {
    if (this.#pumping) return
    this.#pump()
    if (!this.#pending) this.socket.resume()
  }

  holdBody(): void {
    this.socket.pause()
  }

  done(keep: boolean): void {
    this.#exchange = undefined
    this.#headBegan = false
    this.#deadline = this.#traffic.after(this.#traffic.limits.idle)
    if (!keep || this.#closing || (this.#clientEnded && !this.#pending)) {
      this.#linger()
      return
    }
    if (this.socket.isPaused()) this.socket.resume()
    if (!this.#pumping) this.#pump()
  }

  broken(): void {
    this.#exchange = undefined
    this.#phase = "lingering"
    // A reset, because an answer that is ended by closing would look complete to an HTTP/1.0 client.
    this.socket.resetAndDestroy()
  }

  detach(): Buffer | undefined {
    const before = this.#pending
    this.#pending = undefined
    this.#exchange = undefined
    this.#phase = "detached"
    for (const event of ["data", "drain", "end", "error", "close"]) this.socket.removeAllListeners(event)
    this.socket.on("error", () => undefined)
    this.#onEnd()
    return before
  }

  #arrived(chunk: Buffer): void {
    if (this.#phase === "lingering") return
    this.#pending = this.#pending ? Buffer.concat([this.#pending, chunk]) : chunk
    this.#pump()
  }

  /** Hands on what has arrived, to the request under way or as the next one. */
  #pump(): void {
    this.#pumping = true
    while (this.#pending && this.#phase === "open") {
      const before = this.#pending
      if (this.#exchange) {
        if (!this.#exchange.wantsBody) break
        this.#pending = undefined
        const at = this.#exchange.feed(before)
        if (at < before.length && this.#phase === "open") this.#pending = before.subarray(at)
      } else if (this.socket.writableNeedDrain || !this.#next(before)) break
    }
    this.#pumping = false
    // The next request waits in the kernel, not here.
    if (this.#pending && this.#exchange) this.socket.pause()
  }

  /** Begins the next request; false while its head is not complete, or when it is refused. */
  #next(buffer: Buffer): boolean {
    if (!this.#headBegan) {
      this.#headBegan = true
      this.#overdue = false
      this.#deadline = this.#traffic.after(this.#traffic.limits.head)
    }
    try {
      const read = readRequestHead(buffer, 0, this.#traffic.limits, this.#before)
      if (!read) {
        if (this.#clientEnded) this.#linger()
        return false
      }
      this.#before = read.head
      this.#pending = read.end < buffer.length ? buffer.subarray(read.end) : undefined
      const route = this.#door.route()
      if (!route) {
        this.#refuse({ status: 503, reason: "no-route", message: "this address is not routed any more" })
        return false
      }
      this.#exchange = new Exchange(this.#traffic, route, this, read.head)
      this.#exchange.begin()
      return true
    } catch (error) {
      if (!(error instanceof BadMessage)) throw error
      this.#refuse({ status: error.status, reason: error.reason, message: error.message })
      return false
    }
  }

  #refuse(answer: OwnAnswer): void {
    this.#door.route()?.counters.answeredItself(answer.reason)
    this.socket.write(writeOwnAnswer(answer, true, false), "latin1")
    this.#linger()
  }

  /**
   * Says goodbye and throws away what still comes: closing at once would reset the connection, and the
   * client might lose the answer that it has not read yet.
   */
  #linger(): void {
    if (this.#phase !== "open") return
    this.#phase = "lingering"
    this.#pending = undefined
    const { limits, after } = this.#traffic
    this.#deadline = after(limits.between)
    this.socket.end(() => {
      this.#deadline = after(limits.linger)
    })
    this.socket.resume()
  }

  #drained(): void {
    if (this.#exchange) this.#exchange.clientDrained()
    else if (this.#pending) this.#pump()
  }

  #ended(): void {
    this.#clientEnded = true
    if (!this.#exchange) this.#linger()
    else if (this.#exchange.needsBody) {
      this.#exchange.clientGone()
      this.broken()
    } else this.#askAt = this.#traffic.after(silentFor)
  }

  /**
   * A client that went away and one that only has nothing more to say look the same, until something is
   * written to them. RFC 9110 15.2: a client takes any number of 1xx. So nobody works for users who have left.
   */
  #askWhetherThere(exchange: Exchange): void {
    if (!exchange.takesInterim) return
    this.#questions += 1
    this.socket.write("HTTP/1.1 100 Continue\r\n\r\n", "latin1")
  }

  #closed(): void {
    this.#phase = "lingering"
    this.#exchange?.clientGone()
    this.#exchange = undefined
    this.#onEnd()
  }
}
