import type { Socket } from "node:net"
import type { Place } from "./crowd.ts"
import type { UnderWay } from "./instance.ts"
import { type MirrorCounters, MirrorPair } from "./mirror-counters.ts"
import type { RequestHead } from "./request-head.ts"
import type { ResponseHead } from "./response-head.ts"
import type { Member, Route } from "./route.ts"
import type { Ticking, Traffic } from "./traffic.ts"
import type { Receiver, Upstream, UpstreamFailure } from "./upstream.ts"
import { type Origin, writeMirrorHead } from "./write-head.ts"

/** Whether a request may be made twice without anybody noticing. */
export const isCopyable = (head: RequestHead): boolean =>
  (head.method === "GET" || head.method === "HEAD") &&
  head.framing.kind === "none" &&
  head.upgrade === undefined &&
  !head.connection.includes("upgrade")

/**
 * Sends a copy to the mirrored route. It never waits and never queues: with too many copies under way, or
 * nobody to take one, the copy is dropped and counted as such.
 */
export function sendCopy(
  traffic: Traffic,
  target: Route | undefined,
  counters: MirrorCounters,
  timeoutMs: number,
  head: RequestHead,
  origin: Origin,
): MirrorPair | undefined {
  const chosen = target?.choose(target.nextPoint(), [], false, traffic.coarse())
  if (chosen?.kind !== "member" || counters.underWay >= traffic.limits.mostMirrored) {
    counters.dropped += 1
    return undefined
  }
  counters.sent += 1
  const pair = new MirrorPair(counters)
  new Copy(
    traffic,
    chosen.member,
    counters,
    pair,
    head.method,
    writeMirrorHead(head, origin),
    timeoutMs,
  ).begin()
  return pair
}

/** A copied request: its answer is read, counted and thrown away. */
class Copy implements Receiver, Ticking {
  readonly kind = "copy"
  readonly #traffic: Traffic
  readonly #member: Member
  readonly #counters: MirrorCounters
  readonly #pair: MirrorPair
  readonly #method: string
  readonly #text: string
  readonly #deadline: number
  #onInstance: Place<UnderWay> | undefined
  #inAll: Place<Ticking> | undefined
  #upstream: Upstream | undefined
  #startedAt = 0
  #answered = false
  #bad = false
  #again = false

  constructor(
    traffic: Traffic,
    member: Member,
    counters: MirrorCounters,
    pair: MirrorPair,
    method: string,
    text: string,
    timeoutMs: number,
  ) {
    this.#traffic = traffic
    this.#member = member
    this.#counters = counters
    this.#pair = pair
    this.#method = method
    this.#text = text
    this.#deadline = traffic.after(timeoutMs)
  }

  begin(): void {
    this.#counters.underWay += 1
    this.#member.counters.inFlight += 1
    this.#onInstance = this.#member.instance.underWay.enter(this)
    this.#inAll = this.#traffic.underWay.enter(this)
    this.#attempt()
  }

  #attempt(): void {
    const { copies } = this.#member.instance
    this.#startedAt = this.#traffic.now()
    this.#upstream = (this.#again ? undefined : copies.takeIdle()) ?? copies.open()
    this.#upstream.use(this, this.#method)
  }

  connected(): void {
    this.#upstream?.socket.write(this.#text, "latin1")
  }

  interim(): void {}
  content(): void {}
  drained(): void {}
  flush(): void {}

  head(head: ResponseHead): void {
    const ms = this.#traffic.now() - this.#startedAt
    this.#answered = true
    this.#bad = head.status >= 500
    this.#member.counters.answered(head.status, ms)
    this.#pair.candidate({ bad: this.#bad, ms })
  }

  ended(): void {
    const upstream = this.#upstream
    this.#leave()
    if (upstream) this.#member.instance.copies.giveBack(upstream, this.#traffic.coarse())
  }

  upgraded(_head: ResponseHead, socket: Socket): void {
    socket.on("error", () => undefined)
    socket.destroy()
    this.failed("bad-response")
  }

  failed(failure: UpstreamFailure): void {
    // A connection that its server had closed meanwhile says nothing about the candidate.
    if (failure === "reset" && this.#upstream?.reused && !this.#upstream.sawBytes && !this.#again) {
      this.#again = true
      this.#attempt()
      return
    }
    if (failure === "exhausted") {
      this.#counters.dropped += 1
      this.#leave()
      return
    }
    this.#lost(failure === "connect" ? "connect" : "reset")
  }

  tick(now: number): void {
    if (now <= this.#deadline) return
    this.#upstream?.destroy()
    // An answer that has begun is all that is measured; the rest of a long one is not waited for.
    if (this.#answered) this.#leave()
    else this.#lost("timeout")
  }

  cut(): void {
    this.#upstream?.destroy()
    if (this.#answered) this.#leave()
    else this.#lost("reset")
  }

  #lost(failure: "connect" | "timeout" | "reset"): void {
    if (this.#answered) {
      if (!this.#bad) this.#member.counters.broke(failure)
    } else {
      this.#counters.failed += 1
      this.#member.counters.failed(failure)
      this.#pair.candidate({ bad: true, ms: undefined })
    }
    this.#leave()
  }

  #leave(): void {
    this.#upstream = undefined
    this.#counters.underWay -= 1
    this.#member.counters.inFlight -= 1
    this.#member.instance.underWay.leave(this.#onInstance)
    this.#traffic.underWay.leave(this.#inAll)
  }
}
