import type { Duration } from "../core/model/time.ts"

/** A right to act on something, for a while. A higher epoch always wins. */
export type Lease = { readonly key: string; readonly epoch: number }

/** Hands out leases on the store's own clock. */
export interface Leases {
  /** Takes a free or expired lease with the next epoch; undefined while another owner holds it. */
  acquire(key: string, owner: string, ttl: Duration): Promise<Lease | undefined>
  /** Whether it is still ours; prolongs it. */
  renew(lease: Lease, owner: string, ttl: Duration): Promise<boolean>
  /** Gives it back early. */
  release(lease: Lease, owner: string): Promise<void>
}
