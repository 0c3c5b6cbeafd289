/** Ticks that one may be late without standing still: any garbage collection makes it late. */
const mostLate = 4

/**
 * Time as this process lived through it, in milliseconds from its first tick; it moves with each tick and never goes
 * back. What it stood still for, frozen with its machine or starved of its processor, is left out: nobody else was late
 * then, and what came meanwhile lies here unread. A deadline of ordinary time would blame an instance that accepted or
 * answered long ago, and take the service from users who never noticed anything else.
 */
export class OwnTime {
  readonly #most: number
  #at = performance.now()
  #ticked = 0

  /** `every`: milliseconds between two ticks. */
  constructor(every: number) {
    this.#most = every * mostLate
  }

  /** As of the last tick. */
  get ticked(): number {
    return this.#ticked
  }

  /** `now`: milliseconds that never go back. */
  tick(now: number): number {
    this.#ticked += Math.min(now - this.#at, this.#most)
    this.#at = now
    return this.#ticked
  }
}
