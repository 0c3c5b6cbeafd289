import type { Backend } from "./stage/backend.ts"
import type { Address } from "./stage/client.ts"
import type { Cleanup } from "./stage/waiting.ts"

export type InstanceSetup = { readonly id: string; readonly address: string }

export type PoolSetup = {
  readonly name: string
  /** Percent; all weights together are 100. */
  readonly weight: number
  readonly instances: readonly InstanceSetup[]
}

/** What is in front of the backends. Times in milliseconds. The first pool is the stable one. */
export type Setup = {
  readonly pools: readonly PoolSetup[]
  /** Users are told apart by the cookie `user`, or not at all. */
  readonly sticky?: boolean
  readonly salt?: string
  readonly headerTimeout?: number
  readonly responseTimeout?: number
  readonly idleTimeout?: number
  readonly mostInFlight?: number
  readonly mostConnectionsPerAddress?: number
  readonly health?: {
    readonly path: string
    readonly interval: number
    readonly timeout: number
    readonly rise: number
    readonly fall: number
  }
  /** After so many bad answers in a row an instance is left alone for a while, then n times as long. */
  readonly ejection?: { readonly after: number; readonly time: number }
  /** What is under way on a drained instance is ended after this. */
  readonly drainDeadline?: number
  readonly workers?: number
  /** Nobody will give orders: it may be told everything on its command line. */
  readonly alone?: boolean
  /** Open files that the process may have. */
  readonly mostFiles?: number
  /** A file that holds how far the wall clock of the process is moved, as libfaketime reads it. */
  readonly clockFile?: string
}

/** A router that runs. */
export interface Site {
  readonly address: Address
  readonly pid: number
  /** From the resolution on no new request goes by the setup before. Sets the milliseconds it took. */
  apply(pools: readonly PoolSetup[], salt?: string): Promise<void>
  /** From the resolution on the instance gets nothing new. What is under way has until the deadline. */
  drain(instance: string): Promise<void>
  /** SIGKILL for all of it, then the same again from what it keeps itself. */
  restart(): Promise<void>
  /** The processes that carry traffic, without the first one. */
  workers(): Promise<readonly number[]>
  /** Everything that it tells about itself. */
  metrics(): Promise<string>
  /** The last of what it printed. */
  said(): string
  /** How to order a change from a process that will be killed: a program and its arguments. */
  controlBy(pools: readonly PoolSetup[]): readonly string[]
}

export interface Product {
  readonly name: string
  /** Why it is not here; undefined: it is. */
  missing(): Promise<string | undefined>
  open(setup: Setup, cleanup: Cleanup): Promise<Site>
  /** Items that ask for something it does not have, with what it has not. */
  readonly lacks: Readonly<Record<string, string>>
}

/** What an item works with. */
export type Stage = {
  readonly product: Product
  readonly cleanup: Cleanup
  /** How many times as long as promised something may take: 1, and more where other work shares the machine. */
  readonly patience: number
  open(setup: Setup): Promise<Site>
  /** One backend behind a router with short timeouts, shared by the items that need nothing else. */
  plain(): Promise<{ readonly site: Site; readonly backend: Backend }>
}

export type Item = {
  /** Its number in the checklist. */
  readonly id: string
  readonly title: string
  readonly check: (stage: Stage) => Promise<void>
}
