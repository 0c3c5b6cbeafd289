/** A moment: milliseconds since the Unix epoch, as read from an injected clock. */
export type Instant = number

/** A length of time in milliseconds. Never negative. */
export type Duration = number

export const seconds = (n: number): Duration => n * 1_000
export const minutes = (n: number): Duration => n * 60_000
