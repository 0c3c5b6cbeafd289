/** Ticks that one may come after the one before without standing still: any garbage collection makes it late. */
const mostApart = 2

/**
 * Time as this process lived through it, in milliseconds from its first tick; it moves with each tick and never goes
 * back. What it stood still for, frozen with its machine or starved of its processor, is left out: nobody else was late
 * then, and what came meanwhile lies here unread. A deadline of ordinary time would blame an instance that accepted or
 * answered long ago, and take the service from users who never noticed anything else.
 */
export class OwnTime {
  readonly #most: number
  #ticked = performance.now()
  #lived = 0

  /** `every`: milliseconds between two ticks. */
  constructor(every: number) {
    this.#most = every * mostApart
  }

  /** When the last tick was, by the clock. */
  get ticked(): number {
    return this.#ticked
  }

  /** As of the last tick. */
  get lived(): number {
    return this.#lived
  }

  /** `now`: milliseconds that never go back. */
  tick(now: number): number {
    this.#lived += Math.min(now - this.#ticked, this.#most)
    this.#ticked = now
    return this.#lived
  }
}
