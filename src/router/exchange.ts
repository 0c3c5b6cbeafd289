import type { Socket } from "node:net"
import { Answer } from "./answer.ts"
import { BadMessage } from "./bad-message.ts"
import type { ClientSide } from "./client-side.ts"
import type { Failure } from "./counters.ts"
import type { Place } from "./crowd.ts"
import type { Field } from "./fields.ts"
import type { UnderWay } from "./instance.ts"
import type { MirrorPair } from "./mirror-counters.ts"
import { writeOwnAnswer } from "./own-answer.ts"
import { RequestBody, withoutBody } from "./request-body.ts"
import type { RequestHead } from "./request-head.ts"
import type { ResponseHead } from "./response-head.ts"
import { mayTryAgain, mayUseIdle } from "./retry.ts"
import type { Member, Route } from "./route.ts"
import { stickyKey } from "./selection.ts"
import type { Ticking, Traffic } from "./traffic.ts"
import { openTunnel } from "./tunnel.ts"
import type { Receiver, Upstream, UpstreamFailure } from "./upstream.ts"
import { type Origin, writeRequestHead } from "./write-head.ts"

const isEventStream = (head: ResponseHead): boolean =>
  head.framing.kind === "chunked" || head.framing.kind === "close"
    ? head.fields.some(
        ({ lower, value }) => lower === "content-type" && value.startsWith("text/event-stream"),
      )
    : false

/** One request of a client and its answer. */
export class Exchange implements Receiver, Ticking {
  kind: "request" | "stream" = "request"
  readonly #traffic: Traffic
  readonly #route: Route
  readonly #client: ClientSide
  readonly #head: RequestHead
  readonly #origin: Origin
  readonly #body: RequestBody
  readonly #answer: Answer
  /** Could not be reached. */
  readonly #tried: Member[] = []
  #attempts = 0
  #point = 0
  #forced: string | undefined
  #setCookie = ""
  #member: Member | undefined
  #onInstance: Place<UnderWay> | undefined
  #inAll: Place<Ticking> | undefined
  /** The pool that was chosen first: what goes wrong is told of it. */
  #meant: string | undefined
  #upstream: Upstream | undefined
  #pair: MirrorPair | undefined
  #phase: "held" | "connecting" | "waiting" | "answering" | "over" = "connecting"
  #attemptAt = 0
  /** A client who leaves later was left waiting. */
  #patientUntil = 0
  #deadline = 0
  #isReplay = false
  #bodyStarted = false
  #blocked = false
  #isBad = false

  constructor(traffic: Traffic, route: Route, client: ClientSide, head: RequestHead) {
    this.#traffic = traffic
    this.#route = route
    this.#client = client
    this.#head = head
    this.#body = head.framing.kind === "none" ? withoutBody : new RequestBody(head.framing)
    this.#answer = new Answer(head.minor)
    const { address, listener, isSecure } = client
    this.#origin = { address, listener, isSecure, requestId: traffic.requestId() }
  }

  begin(): void {
    const { table } = this.#route
    const value = (lower: string) => this.#head.fields.find((field) => field.lower === lower)?.value
    const { key, assign } = stickyKey(table.sticky, value, this.#client.address, this.#traffic.userId)
    this.#point = key === undefined ? this.#route.nextPoint() : this.#route.pointOf(key)
    this.#forced = key === undefined ? undefined : this.#route.forcedPool(key)
    this.#setCookie = assign ?? ""
    this.#inAll = this.#traffic.underWay.enter(this)
    const heldUntil = this.#route.heldUntil(this.#traffic.lived())
    if (heldUntil === undefined) this.go()
    else if (this.#route.wait(this)) {
      this.#phase = "held"
      this.#deadline = heldUntil
    } else this.#answerItself(503, "paused", "too many requests wait for a swap")
  }

  /** Nothing is in its way any more. */
  go(): void {
    const { table } = this.#route
    // Its time in the queue is nothing that an instance took.
    this.#attemptBegins()
    const copied = this.#attempt()
    if (copied && table.mirror) this.#pair = this.#traffic.copy(this.#route, this.#head, this.#origin)
  }

  #attemptBegins(): void {
    this.#attemptAt = this.#traffic.now()
    this.#patientUntil = this.#traffic.after(this.#traffic.limits.patience)
  }

  /** Asks the next instance; answers itself when nobody is left. */
  #attempt(): boolean {
    const { limits, after, coarse } = this.#traffic
    const chosen = this.#route.choose(
      this.#point,
      this.#tried,
      this.#tried.length > 1,
      coarse(),
      this.#forced,
    )
    if (chosen.kind === "nobody") {
      if (this.#tried.length > 0) this.#answerItself(502, "connect", "no instance could be reached")
      else if (chosen.full) this.#answerItself(503, "full", "all instances have too much to do")
      else this.#answerItself(503, "no-instance", "there is no instance to answer this")
      return false
    }
    const { member } = chosen
    this.#member = member
    this.#meant ??= member.pool
    member.counters.inFlight += 1
    this.#onInstance = member.instance.underWay.enter(this)
    this.#phase = "connecting"
    this.#deadline = after(limits.connect)
    const idle = this.#attempts === 0 && mayUseIdle(this.#head) ? member.instance.users.takeIdle() : undefined
    this.#attempts += 1
    this.#upstream = idle ?? member.instance.users.open()
    this.#upstream.use(this, this.#head.method)
    return true
  }

  connected(): void {
    const { limits, after } = this.#traffic
    this.#member?.instance.passive.reached()
    this.#phase = "waiting"
    this.#upstream?.socket.write(writeRequestHead(this.#head, this.#origin), "latin1")
    this.#deadline = after(this.#body.done ? limits.answer : limits.between)
    if (this.#body.done) return
    this.#bodyStarted = true
    this.#client.takeBody()
  }

  /** Whether the request is not complete yet. */
  get needsBody(): boolean {
    return !this.#body.done
  }

  /** Whether a 1xx may be said to the client now: HTTP/1.0 knows none, and none comes after the answer's head. */
  get takesInterim(): boolean {
    return this.#head.minor === 1 && (this.#phase === "connecting" || this.#phase === "waiting")
  }

  /** Whether content of the request is wanted now. */
  get wantsBody(): boolean {
    return (
      !this.#body.done &&
      (this.#phase === "waiting" || this.#phase === "answering") &&
      this.#upstream?.socket.writableNeedDrain === false
    )
  }

  /** Takes content of the request; returns where it stopped. */
  feed(buffer: Buffer): number {
    let at: number
    try {
      at = this.#body.read(buffer)
    } catch (error) {
      if (!(error instanceof BadMessage)) throw error
      this.#blameClient(error.status, error.reason, error.message)
      return buffer.length
    }
    const { limits, after } = this.#traffic
    this.#deadline = after(this.#body.done && this.#phase === "waiting" ? limits.answer : limits.between)
    if (this.#upstream && !this.#body.flush(this.#upstream.socket) && !this.#body.done)
      this.#client.holdBody()
    return at
  }

  drained(): void {
    if (this.wantsBody) this.#client.takeBody()
  }

  interim(head: ResponseHead): void {
    this.#answer.interim(head)
  }

  head(head: ResponseHead): void {
    const ms = this.#traffic.now() - this.#attemptAt
    this.#phase = "answering"
    this.#isBad = head.status >= 500
    this.#member?.counters.answered(head.status, ms)
    this.#member?.instance.passive.answered(this.#isBad, this.#traffic.coarse(), this.#traffic.limits)
    if (isEventStream(head)) this.kind = "stream"
    this.#pair?.primary({ bad: this.#isBad, ms })
    // Before the request has ended nobody can tell where the next one would begin.
    const mayKeep = this.#head.keepAlive && this.#body.done && !this.#client.mustClose
    this.#answer.begin(head, mayKeep, this.#extraLines())
  }

  #extraLines(): string {
    const pool = this.#route.table.expose ? `x-immunity-pool: ${this.#member?.pool ?? ""}\r\n` : ""
    return `${pool}${this.#setCookie}`
  }

  content(content: Buffer): void {
    this.#answer.content(content)
  }

  flush(): void {
    if (this.#phase === "over") return
    if (this.#phase === "answering") this.#deadline = this.#traffic.after(this.#traffic.limits.between)
    if (this.#answer.flush(this.#client.socket) || this.#upstream === undefined) return
    this.#blocked = true
    this.#upstream.socket.pause()
  }

  /** The client takes more of the answer. */
  clientDrained(): void {
    if (!this.#blocked) return
    this.#blocked = false
    this.#deadline = this.#traffic.after(this.#traffic.limits.between)
    this.#upstream?.socket.resume()
  }

  ended(trailers: readonly Field[]): void {
    this.#answer.end(trailers)
    this.flush()
    const upstream = this.#upstream
    const instance = this.#member?.instance
    this.#leave()
    if (this.#body.done && upstream) instance?.users.giveBack(upstream, this.#traffic.coarse())
    else upstream?.destroy()
    this.#over()
    this.#client.done(this.#answer.keep && this.#body.done)
  }

  upgraded(head: ResponseHead, socket: Socket, early: Buffer): void {
    const member = this.#member
    if (this.#head.upgrade === undefined || !member) {
      socket.on("error", () => undefined)
      socket.destroy()
      this.failed("bad-response", "the instance changed the protocol unasked")
      return
    }
    member.counters.answered(head.status, this.#traffic.now() - this.#attemptAt)
    this.#answer.interim(head)
    const before = this.#client.detach()
    const client = this.#client.socket
    openTunnel(this.#traffic, member, client, socket)
    this.#leave()
    this.#over()
    this.#answer.flush(client)
    if (early.length > 0) client.write(early)
    if (before) socket.write(before)
  }

  failed(failure: UpstreamFailure, because: string): void {
    const upstream = this.#upstream
    const member = this.#member
    if (this.#phase === "over" || !upstream || !member) return
    if (failure === "exhausted") {
      this.#refuse(503, failure, `this router cannot open another connection: ${because}`)
      return
    }
    if (failure === "connect") {
      member.instance.passive.unreachable(this.#traffic.coarse(), this.#traffic.limits)
      this.#tried.push(member)
    }
    if (failure === "silent") this.#tried.push(member)
    if (this.#phase === "answering") {
      this.#breakOff("reset")
      return
    }
    const again = mayTryAgain({
      failure,
      attempts: this.#attempts,
      wasReused: upstream.reused,
      sawBytes: upstream.sawBytes,
      isSafe: mayUseIdle(this.#head),
      bodyStarted: this.#bodyStarted,
      replays: this.#traffic.replays.active,
      underWay: this.#traffic.underWay.size,
    })
    if (again && failure !== "connect") member.counters.replayed += 1
    else member.counters.failed(failure === "connect" ? "connect" : "reset")
    this.#leave()
    if (!again) {
      this.#answerItself(502, failure, `the instance gave no answer: ${because}`)
      return
    }
    if (failure === "reset") {
      this.#isReplay = true
      this.#traffic.replays.active += 1
    }
    this.#attemptBegins()
    this.#attempt()
  }

  fellSilent(): void {
    const upstream = this.#upstream
    const waits = this.#phase === "waiting" || this.#phase === "connecting"
    if (!upstream || !waits || upstream.sawBytes || this.#bodyStarted || !mayUseIdle(this.#head)) return
    upstream.destroy()
    this.failed("silent", "it answers nobody any more")
  }

  tick(now: number): void {
    if (now <= this.#deadline || this.#phase === "over") return
    const upstream = this.#upstream
    if (this.#phase === "held") {
      this.#route.leaveQueue(this)
      this.go()
    } else if (this.#phase === "connecting") {
      upstream?.destroy()
      this.failed("connect", "it did not accept the connection in time")
    } else if (this.#phase === "answering") {
      if (!this.#blocked && this.#body.done) this.#breakOff("timeout")
      else {
        this.clientGone()
        this.#client.broken()
      }
    } else if (!this.#body.done && upstream?.socket.writableNeedDrain === false) {
      this.#blameClient(408, "slow-request", "the request did not arrive in time")
    } else {
      upstream?.destroy()
      this.#member?.counters.failed("timeout")
      this.#leave()
      this.#answerItself(504, "timeout", "the instance did not answer in time")
    }
  }

  /** The client went away: nobody's fault, unless an instance that had the whole request let it wait for too long. */
  clientGone(): void {
    if (this.#phase === "over") return
    if (this.#phase !== "answering") {
      if (this.#body.done && this.#traffic.lived() > this.#patientUntil)
        this.#member?.counters.failed("timeout")
      else if (this.#member) this.#member.counters.aborted += 1
      this.#pair?.primary("gone")
    }
    this.#upstream?.destroy()
    this.#leave()
    this.#over()
  }

  cut(because: string): void {
    if (this.#phase === "over") return
    if (this.#phase !== "answering") {
      this.#refuse(503, "drained", because)
      return
    }
    this.#upstream?.destroy()
    this.#leave()
    this.#over()
    this.#client.broken()
  }

  /** An answer that had begun cannot be completed. */
  #breakOff(failure: Failure): void {
    if (!this.#isBad) this.#member?.counters.broke(failure)
    this.#upstream?.destroy()
    this.#leave()
    this.#over()
    this.#client.broken()
  }

  #blameClient(status: number, reason: string, message: string): void {
    if (this.#phase === "answering") {
      this.clientGone()
      this.#client.broken()
      return
    }
    this.#refuse(status, reason, message)
  }

  /** Answers itself, at no fault of the instance. */
  #refuse(status: number, reason: string, message: string): void {
    if (this.#member) this.#member.counters.aborted += 1
    this.#pair?.primary("gone")
    this.#upstream?.destroy()
    this.#leave()
    this.#answerItself(status, reason, message)
  }

  #answerItself(status: number, reason: string, message: string): void {
    this.#route.counters.answeredItself(reason)
    this.#pair?.primary({ bad: true, ms: undefined })
    const keep = this.#head.keepAlive && this.#head.minor === 1 && this.#body.done && !this.#client.mustClose
    const isHead = this.#head.method === "HEAD"
    this.#over()
    this.#client.socket.write(
      writeOwnAnswer({ status, reason, message, pool: this.#meant }, !keep, isHead),
      "latin1",
    )
    this.#client.done(keep)
  }

  /** No instance has anything to do with this request any more. */
  #leave(): void {
    const member = this.#member
    this.#upstream = undefined
    this.#member = undefined
    if (this.#isReplay) {
      this.#isReplay = false
      this.#traffic.replays.active -= 1
    }
    if (!member) return
    member.counters.inFlight -= 1
    member.instance.underWay.leave(this.#onInstance)
  }

  #over(): void {
    if (this.#phase === "held") this.#route.leaveQueue(this)
    this.#phase = "over"
    this.#traffic.underWay.leave(this.#inAll)
  }
}
