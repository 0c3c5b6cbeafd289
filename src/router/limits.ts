/** How long and how much. Times in milliseconds, kept by one coarse tick: up to a quarter second late. */
export type Limits = {
  /** From the first byte of a head to its last. */
  readonly head: number
  /** A client connection without a request. */
  readonly idle: number
  /** Until an instance accepts a connection. */
  readonly connect: number
  /** From the request to the head of the answer. */
  readonly answer: number
  /** A client who leaves without an answer after this was failed by the instance; before, it changed its mind. */
  readonly patience: number
  /** Without a byte of a body in either direction. */
  readonly between: number
  /** A tunnel without a byte in either direction. */
  readonly tunnel: number
  /** How long what a client still sends is thrown away after the last answer. */
  readonly linger: number
  /** How long a resting client may still send a request when the router is about to close its connection. */
  readonly goodbye: number
  /** The same for clients of a worker that is replaced: nobody is in a hurry, and fewer are just sending then. */
  readonly retireIdle: number
  /** How long a worker that is replaced finishes what is under way. */
  readonly retire: number
  /** An idle connection to an instance. Below the 5 s after which many servers close it. */
  readonly upstreamIdle: number
  /** How long an instance that refuses connections is left alone the first time; the n-th time n times as long. */
  readonly ejection: number
  /** Connection errors in a row before that. */
  readonly ejectAfter: number
  /**
   * Answers 5xx in a row before that; 0: never. Off for a rollout, because a release whose worst instance is
   * left out looks better to its judge than it is.
   */
  readonly ejectAfter5xx: number
  /** How long the router itself finishes what is under way when it is asked to end. */
  readonly drain: number
  /** At weight 0: after this an upgraded connection is closed. */
  readonly drainTunnel: number
  /** At weight 0: after this an event stream is closed. */
  readonly drainStream: number
  /** At weight 0: after this any other answer is cut off. */
  readonly drainRequest: number
  /** Connections of all clients. */
  readonly mostClients: number
  /** Connections of one client address. */
  readonly mostClientsPerAddress: number
  /** Bytes of a request's head. */
  readonly mostHead: number
  readonly mostFields: number
  /** Requests under way on one instance. */
  readonly mostInFlight: number
  /** Requests of one route that wait for a swap. */
  readonly mostHeld: number
  readonly mostIdle: number
  readonly mostMirrored: number
  readonly tick: number
}

const day = 86_400_000

export const defaultLimits: Limits = {
  head: 10_000,
  idle: 75_000,
  connect: 2_000,
  answer: 60_000,
  patience: 5_000,
  between: 60_000,
  tunnel: 3_600_000,
  linger: 2_000,
  goodbye: 1_000,
  retireIdle: 10_000,
  retire: 600_000,
  upstreamIdle: 4_000,
  ejection: 30_000,
  ejectAfter: 5,
  ejectAfter5xx: 0,
  drain: 10_000,
  drainTunnel: day,
  drainStream: day,
  drainRequest: day,
  mostClients: 10_000,
  mostClientsPerAddress: 10_000,
  mostHead: 32 * 1024,
  mostFields: 128,
  mostInFlight: 1_024,
  mostHeld: 1_024,
  mostIdle: 128,
  mostMirrored: 64,
  tick: 250,
}
