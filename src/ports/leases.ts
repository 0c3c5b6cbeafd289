import type { Duration } from "../core/model/time.ts"

/**
 * A right to act on something, for a while. A higher epoch always wins. No epoch of a key is given out twice, also when
 * the store was restored or its database was replaced by a standby that had forgotten some; up to 2^53.
 */
export type Lease = { readonly key: string; readonly epoch: number }

/** Hands out leases on the store's own clock. */
export interface Leases {
  /** Takes a free or expired lease with the next epoch; undefined while another owner holds it. */
  acquire(key: string, owner: string, ttl: Duration): Promise<Lease | undefined>
  /** Whether it is still ours; prolongs it. */
  renew(lease: Lease, owner: string, ttl: Duration): Promise<boolean>
  /** Gives it back early. */
  release(lease: Lease, owner: string): Promise<void>
  /**
   * Takes, with the next epoch, those of `keys` that may be taken: free ones, the owner's own, and those whose owner is
   * gone. They last as long as the owner's presence (`presenceOf`) does, so that ten thousand of them are kept by
   * renewing one. A presence that expired is ended first: its owner cannot renew it any more, and so hears of it.
   */
  take(keys: readonly string[], owner: string): Promise<readonly Lease[]>
  /**
   * Keys that were taken once, by another owner, and may be taken now. `own`: and all that are this owner's, of which it
   * may not know: a `take` that was given up can still be carried out later.
   */
  open(owner: string, own?: boolean): Promise<readonly string[]>
  /** What a write waits for that has no answer yet, in a sentence that says what to do; undefined: for nothing known. */
  waitsFor?(): Promise<string | undefined>
}

/** The key of the lease by which an owner shows that it lives. */
export const presenceOf = (owner: string): string => `plane/${owner}`
