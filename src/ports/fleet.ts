import type { ServerName } from "../core/model/ids.ts"
import type { Duration, Instant } from "../core/model/time.ts"

/** A server that has joined. */
export type JoinedServer = {
  readonly server: ServerName
  /** `host:port` of its agent. */
  readonly address: string
  readonly joinedAt: Instant
  /** When its certificate ends, unless it is renewed before. */
  readonly expiresAt: Instant
}

/** Why a server is left: nothing new is placed there, and what runs there moves elsewhere. */
export type Drained = { readonly at: Instant; readonly by: string; readonly because: string }

/** Allows one server to join, once, for a while. Whoever has the token may be that server. */
export type Invitation = {
  readonly token: string
  readonly expiresAt: Instant
  /** Where it is to be shown: `https://10.0.0.1:7400`. */
  readonly to: string
}

/** Which servers belong to this control plane, besides its own. */
export interface Fleet {
  joined(): readonly JoinedServer[]
  drained(server: ServerName): Drained | undefined
  /** Throws, with a sentence, when no server can join here. */
  invite(server: ServerName, by: string, forMs: Duration): Invitation
  drain(server: ServerName, by: string, because: string): void
  undrain(server: ServerName): void
  /** Its certificate is not renewed any more and no order reaches it from now on. False when it is unknown. */
  remove(server: ServerName): boolean
}
