import { Crowd } from "./crowd.ts"
import type { Limits } from "./limits.ts"
import { PassiveHealth } from "./passive-health.ts"
import { type Address, parseAddress } from "./read-table.ts"
import { Upstream } from "./upstream.ts"

/** A `stream` is an answer that has no end of its own, such as server-sent events. */
export type UnderWayKind = "request" | "stream" | "tunnel" | "copy"

/**
 * `ejected`: left alone for what it did to requests; `failing`: for what it answered when it
 * was asked how it is, silence not among it.
 */
export type InstanceSeen = { readonly inFlight: number; readonly ejected: boolean; readonly failing: boolean }

/** What asking an instance has shown; undefined: it is well, or nobody asks. */
export type Mark = "failing" | "unproven" | undefined

/** What can be ended from outside: a request that is under way on an instance. */
export interface UnderWay {
  readonly kind: UnderWayKind
  /** Ends it now, whatever it was doing; the instance is not to blame. */
  cut(because: string): void
  /** The instance has fallen silent: what can go elsewhere without harm does, the rest waits on. */
  fellSilent?(): void
}

/** Keep-alive connections to one address. */
export class Connections {
  readonly #address: Address
  readonly #most: number
  #idle: Upstream[] = []
  #closed = false

  constructor(address: Address, most: number) {
    this.#address = address
    this.#most = most
  }

  /** A connection that rests, the one used last; undefined when there is none. */
  takeIdle(): Upstream | undefined {
    return this.#idle.pop()
  }

  open(): Upstream {
    return new Upstream(this.#address, (upstream) => this.#forget(upstream))
  }

  /** Keeps it for the next request where that is safe. */
  giveBack(upstream: Upstream, now: number): void {
    if (this.#closed || !upstream.isReusable || this.#idle.length >= this.#most) {
      upstream.destroy()
      return
    }
    upstream.rest(now)
    this.#idle.push(upstream)
  }

  /** Closes those that have rested for longer than `most`. */
  prune(now: number, most: number): void {
    const old = this.#idle.filter((upstream) => now - upstream.idleSince > most)
    if (old.length === 0) return
    this.#idle = this.#idle.filter((upstream) => now - upstream.idleSince <= most)
    for (const upstream of old) upstream.destroy()
  }

  /** Closes what rests; what is in use ends after its answer. */
  close(): void {
    this.#closed = true
    this.dropIdle()
  }

  dropIdle(): void {
    for (const upstream of this.#idle.splice(0)) upstream.destroy()
  }

  /** It is wanted again. */
  reopen(): void {
    this.#closed = false
  }

  #forget(upstream: Upstream): void {
    const at = this.#idle.indexOf(upstream)
    if (at !== -1) this.#idle.splice(at, 1)
  }
}

/** One running copy, as the data plane sees it. */
export class Instance {
  readonly id: string
  readonly address: string
  readonly users: Connections
  /** Apart from those of users: a copy never waits in their way. */
  readonly copies: Connections
  readonly underWay = new Crowd<UnderWay>()
  readonly passive = new PassiveHealth()
  mark: Mark

  constructor(id: string, address: string, limits: Limits) {
    const parsed = parseAddress(address)
    if (!parsed) throw new Error(`instance ${id} has no address: ${address}`)
    this.id = id
    this.address = address
    this.users = new Connections(parsed, limits.mostIdle)
    this.copies = new Connections(parsed, limits.mostMirrored)
  }

  get inFlight(): number {
    return this.underWay.size
  }

  isEjected(now: number): boolean {
    return this.passive.isEjected(now)
  }

  /** Nobody waits on connections of it that will never say anything again. */
  fellSilent(): void {
    for (const connections of [this.users, this.copies]) connections.dropIdle()
    for (const one of [...this.underWay]) one.fellSilent?.()
  }

  /** It is in no table any more; what it has under way may finish. */
  close(): void {
    this.users.close()
    this.copies.close()
  }

  /** It is in a table. */
  reopen(): void {
    this.users.reopen()
    this.copies.reopen()
  }
}
