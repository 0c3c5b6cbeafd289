import type { Socket } from "node:net"

/** The client's end of a request, as the exchange needs it. */
export interface ClientSide {
  readonly socket: Socket
  readonly address: string | undefined
  readonly listener: string
  readonly isSecure: boolean
  /** The connection is to end after this answer. */
  readonly mustClose: boolean
  /** Hand over the body, now and as it comes. */
  takeBody(): void
  /** No more for now. */
  holdBody(): void
  /** The answer is complete; `keep`: another request may follow. */
  done(keep: boolean): void
  /** The answer cannot be completed: the client must see that it broke. */
  broken(): void
  /** The socket belongs to a tunnel now; returns what was read already. */
  detach(): Buffer | undefined
}
