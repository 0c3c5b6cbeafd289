/** A message that is refused instead of repaired: the status it is answered with, a word and a sentence. */
export class BadMessage extends Error {
  readonly status: number
  readonly reason: string

  constructor(status: number, reason: string, message: string) {
    super(message)
    this.status = status
    this.reason = reason
  }
}

export const badRequest = (message: string): BadMessage => new BadMessage(400, "bad-request", message)
