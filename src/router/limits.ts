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
  /** Without a byte of a body in either direction. */
  readonly between: number
  /** A tunnel without a byte in either direction. */
  readonly tunnel: number
  /** How long what a client still sends is thrown away after the last answer. */
  readonly linger: number
  /** An idle connection to an instance. Below the 5 s after which many servers close it. */
  readonly upstreamIdle: number
  /** How long an instance that refuses connections is left alone. */
  readonly ejection: number
  /** Connection errors in a row before that. */
  readonly ejectAfter: number
  readonly drain: number
  readonly mostClients: number
  readonly mostInFlight: number
  readonly mostIdle: number
  readonly mostMirrored: number
  readonly tick: number
}

export const defaultLimits: Limits = {
  head: 10_000,
  idle: 75_000,
  connect: 2_000,
  answer: 60_000,
  between: 60_000,
  tunnel: 3_600_000,
  linger: 2_000,
  upstreamIdle: 4_000,
  ejection: 10_000,
  ejectAfter: 5,
  drain: 10_000,
  mostClients: 10_000,
  mostInFlight: 1_024,
  mostIdle: 128,
  mostMirrored: 64,
  tick: 250,
}
