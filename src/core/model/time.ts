/** A moment: milliseconds since the Unix epoch, as read from an injected clock. */
export type Instant = number

/** A length of time in milliseconds. Never negative. */
export type Duration = number
