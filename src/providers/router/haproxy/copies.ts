import { randomUUID } from "node:crypto"
import { Agent, type ClientRequest, request } from "node:http"
import { type CopiedRequest, isDenied } from "../../../core/answers/copied.ts"
import type { MirrorCounters } from "../../../ports/counters.ts"
import type { Copyable, Outcome } from "./line.ts"
import { Tally } from "./tally.ts"

/** More are not under way at once: what comes then is dropped, never queued. */
const most = 64
/** A request that came longer ago, in ms, is not copied: the candidate shall see what is now. */
const freshFor = 1_000
/** How long the log may take to tell of a copy that was answered, in ms. */
const patience = 1_000

/** At most one so often is told, in ms, and so many, so long, of so many characters. */
const tellEvery = 100
const mostTold = 20
const toldFor = 10_000
const longestTold = 500

export type Mirrored = {
  /** The mirrored route, and the one that its copies go to. */
  readonly from: string
  readonly to: string
  readonly timeout: number
  readonly deny?: readonly string[] | undefined
  readonly tell?: boolean | undefined
  /** Where the other route listens; undefined: nowhere. */
  readonly address: string | undefined
}

type Sums = {
  readonly to: string
  sent: number
  dropped: number
  readonly primary: Tally
  readonly candidate: Tally
  recent: readonly CopiedRequest[]
}

type UnderWay = {
  readonly sums: Sums
  readonly primary: Outcome
  readonly asked: ClientRequest
  readonly deadline: number
  /** What was seen of it here; the log, which measures both sides alike, has the better word. */
  seen: Outcome | undefined
}

/**
 * Makes requests that were answered once more, to another route. The answer goes nowhere; both outcomes are counted
 * together, as the log tells them.
 */
export class Copies {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: most })
  readonly #underWay = new Map<string, UnderWay>()
  readonly #sums = new Map<string, Sums>()
  readonly #sweeper: NodeJS.Timeout
  readonly #secret: string

  /** `secret`: how HAProxy knows a copy from what a user might send. */
  constructor(secret: string) {
    this.#secret = secret
    this.#sweeper = setInterval(() => this.#sweep(Date.now()), 100)
    this.#sweeper.unref()
  }

  make(copy: Copyable, at: number, primary: Outcome, mirrored: Mirrored): void {
    if (isDenied(mirrored.deny ?? [], copy.path)) return
    const now = Date.now()
    const sums = this.#sumsOf(mirrored.from, mirrored.to)
    if (mirrored.tell) tell(sums, copy, now)
    const [host, port] = mirrored.address?.split(":") ?? []
    if (now - at > freshFor || this.#underWay.size >= most || !host || !port) {
      sums.dropped += 1
      return
    }
    const id = `${this.#secret}.${randomUUID()}`
    const asked = ask(copy, id, host === "0.0.0.0" ? "127.0.0.1" : host, port, this.#agent)
    if (!asked) {
      sums.dropped += 1
      return
    }
    const underWay: UnderWay = { sums, primary, asked, deadline: now + mirrored.timeout, seen: undefined }
    this.#underWay.set(id, underWay)
    asked.on("response", (answer) => {
      const seen = { bad: (answer.statusCode ?? 500) >= 500, ms: Date.now() - now }
      answer.resume()
      answer.on("end", () => (underWay.seen ??= seen))
      answer.on("error", () => (underWay.seen ??= { bad: true, ms: seen.ms }))
    })
    asked.on("error", () => (underWay.seen ??= { bad: true, ms: undefined }))
    asked.end()
  }

  /** What the log tells of a copy; `taken`: by an instance, not by nobody. */
  ended(id: string, outcome: Outcome | "gone", taken: boolean): void {
    const underWay = this.#underWay.get(id)
    if (!underWay) return
    this.#underWay.delete(id)
    if (!taken) underWay.sums.dropped += 1
    else this.#count(underWay, outcome === "gone" ? { bad: true, ms: undefined } : outcome)
  }

  read(route: string, to: string): MirrorCounters {
    const sums = this.#sumsOf(route, to)
    const { sent, dropped, primary, candidate } = sums
    sums.recent = sums.recent.filter(({ at }) => Date.now() - at < toldFor)
    return { to, sent, dropped, recent: sums.recent, primary: primary.read(), candidate: candidate.read() }
  }

  close(): void {
    clearInterval(this.#sweeper)
    this.#agent.destroy()
  }

  #count({ sums, primary }: UnderWay, candidate: Outcome): void {
    sums.sent += 1
    sums.primary.add(primary)
    sums.candidate.add(candidate)
  }

  #sweep(now: number): void {
    for (const [id, underWay] of this.#underWay) {
      if (now < underWay.deadline + (underWay.seen ? patience : 0)) continue
      this.#underWay.delete(id)
      underWay.asked.destroy()
      this.#count(underWay, underWay.seen ?? { bad: true, ms: undefined })
    }
  }

  #sumsOf(route: string, to: string): Sums {
    const known = this.#sums.get(route)
    if (known?.to === to) return known
    const fresh = { to, sent: 0, dropped: 0, primary: new Tally(), candidate: new Tally(), recent: [] }
    this.#sums.set(route, fresh)
    return fresh
  }
}

/** A small sample, for whoever compares answers: bounded in number, in rate and in age. */
function tell(sums: Sums, { method, path, headers }: Copyable, now: number): void {
  const last = sums.recent.at(-1)
  if ((last !== undefined && now - last.at < tellEvery) || path.length > longestTold) return
  sums.recent = [...sums.recent.slice(1 - mostTold), { at: now, method, target: path, headers }]
}

/** Undefined when Node would not send such a request. */
function ask(
  copy: Copyable,
  id: string,
  host: string,
  port: string,
  agent: Agent,
): ClientRequest | undefined {
  try {
    return request({
      host,
      port,
      agent,
      method: copy.method,
      path: copy.path,
      headers: { ...copy.headers, "X-Mirror": "1", "X-Immunity-Copy": id },
    })
  } catch {
    return undefined
  }
}
