import type { InstanceId, ServerName } from "./ids.ts"

/** What there is of something, and how much of that nobody uses now. */
export type Share = { readonly total: number; readonly free: number }

/** What a server has room for, as far as it knows: instances, bytes of memory, processors. */
export type Capacity = {
  readonly instances?: Share | undefined
  readonly memory?: Share | undefined
  readonly cpus?: Share | undefined
}

/** What the servers said last of their room; a server that is absent says nothing, which is not nothing free. */
export type RoomSeen = {
  readonly servers: Readonly<Record<ServerName, Capacity>>
  /** Resident bytes of every instance whose memory is known. */
  readonly memoryOf: Readonly<Record<InstanceId, number>>
  /** Instances that were refused for lack of room and are still wanted, and what was said. */
  readonly refused: Readonly<Record<InstanceId, string>>
}
