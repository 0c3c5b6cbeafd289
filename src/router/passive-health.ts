import type { Limits } from "./limits.ts"

const mostTimes = 10

/** What an instance's own traffic says about it: after several failures in a row it is left alone for a while. */
export class PassiveHealth {
  #refused = 0
  #bad = 0
  #times = 0
  #until = 0

  isEjected(now: number): boolean {
    return now < this.#until
  }

  /** It accepted a connection. */
  reached(): void {
    this.#refused = 0
  }

  /** It did not accept one. */
  unreachable(now: number, limits: Limits): void {
    this.#refused += 1
    if (this.#refused >= limits.ejectAfter) this.#eject(now, limits)
  }

  answered(isBad: boolean, now: number, limits: Limits): void {
    if (limits.ejectAfter5xx === 0) return
    if (isBad) {
      this.#bad += 1
      if (this.#bad >= limits.ejectAfter5xx) this.#eject(now, limits)
      return
    }
    this.#bad = 0
    // Well for as long as it was last left alone: what was is forgotten.
    if (this.#times > 0 && now > this.#until + limits.ejection * this.#times) this.#times = 0
  }

  #eject(now: number, limits: Limits): void {
    // What was under way when it was ejected fails too; that is no second offence.
    if (this.isEjected(now)) return
    this.#times = Math.min(this.#times + 1, mostTimes)
    this.#until = now + limits.ejection * this.#times
    this.#bad = 0
  }
}
