import type { Instant } from "../core/model/time.ts"

/** Something that people or systems outside are told. */
export type Notice = {
  /** Where to: a webhook's address. */
  readonly to: string
  /** The receiver may use it to drop repeats. */
  readonly id: string
  readonly at: Instant
  readonly app: string
  readonly type: string
  readonly text: string
  readonly data: unknown
}

/** Tells the outside. Throws when the receiver did not take it; the caller tries again later. */
export interface Notifier {
  send(notice: Notice, signal: AbortSignal): Promise<void>
}
