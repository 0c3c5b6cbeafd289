import type { AppName } from "../core/model/ids.ts"
import type { Instant } from "../core/model/time.ts"
import type { Recorded } from "../core/pipeline/events.ts"
import type { Notice } from "./notifier.ts"

/** A recorded event in its place. */
export type StoredEvent = Recorded & {
  readonly stream: AppName
  /** From 1, without gaps, inside its stream. */
  readonly version: number
  /** Rising over all streams; may have gaps. */
  readonly sequence: number
  /** Hex sha256 over the event and the hash before it in its stream: an edit breaks the chain. */
  readonly hash: string
}

export type Append = {
  readonly stream: AppName
  /** The version that the decision was made on; 0 for a new stream. */
  readonly expected: number
  /** Of the writer's lease on the stream. */
  readonly epoch: number
  readonly events: readonly Recorded[]
  /** Makes a repeated command a no-op; kept with the result. */
  readonly command?: { readonly id: string; readonly result: unknown } | undefined
  /** Written in the same transaction; delivered at least once. */
  readonly outbox: readonly Notice[]
}

export type AppendOutcome =
  | { readonly kind: "appended"; readonly stored: readonly StoredEvent[] }
  /** Someone else wrote first: reload and decide again. */
  | { readonly kind: "conflict" }
  /** The lease is lost: stop acting. */
  | { readonly kind: "fenced" }
  /** This command took effect before; its stored result. */
  | { readonly kind: "duplicate"; readonly result: unknown }

/**
 * The one place where decisions become true. Every append is durable as a whole, or nothing of it is; those of several
 * streams may share a transaction, and what becomes of one is nothing to the others.
 */
export interface Journal {
  append(append: Append): Promise<AppendOutcome>
  /** Events of one stream after a version, in order. */
  read(stream: AppName, after: number): Promise<readonly StoredEvent[]>
  /** Events of all streams after a sequence, in order, at most `limit`. */
  feed(after: number, limit: number, stream?: AppName): Promise<readonly StoredEvent[]>
  /** In order of their names. */
  streams(): Promise<readonly AppName[]>
  /** Of each of these streams the events after a version, in order. */
  tails(places: readonly Place[]): Promise<readonly StoredEvent[]>
  /** The sequence of the newest event; 0 before the first. */
  end(): Promise<number>
  /** The result of a command that took effect before. */
  commandResult(id: string): Promise<unknown>
  /** Undelivered notices that are due, those first that have been due the longest. */
  outbox(now: Instant, limit: number): Promise<readonly OutboxRow[]>
  outboxDone(id: number): Promise<void>
  /** Tried and failed: try again at `retryAt`, or never (dead letter) when absent. */
  outboxFailed(id: number, error: string, retryAt: Instant | undefined): Promise<void>
}

export type Place = { readonly stream: AppName; readonly version: number }

export type OutboxRow = { readonly id: number; readonly attempts: number; readonly notice: Notice }
