import { Evidence } from "./evidence.ts"
import { sum } from "./policy.ts"

const bets = [0.25, 0.5, 1, 1.8]
const usualDeviation = 0.04

/** The log ratio of two gauges, one value a minute, against log(1 + rel). */
export class LevelTest {
  readonly #limit: number
  readonly #evidence = new Evidence(bets.length)
  #now: number[] = []
  #last: number | undefined
  #squares = 5 * usualDeviation ** 2
  #seen = 5
  #next = 60

  constructor(rel: number) {
    this.#limit = Math.log(1 + rel)
  }

  add(t: number, canary: readonly number[], control: readonly number[]): void {
    const sound = (some: readonly number[]) => some.length > 0 && some.every((value) => value > 0)
    if (sound(canary) && sound(control))
      this.#now.push(sum(canary.map(Math.log)) / canary.length - median(control.map(Math.log)))
    if (t < this.#next) return
    this.#next += 60
    if (this.#now.length === 0) return
    const d = sum(this.#now) / this.#now.length
    const variance = this.#squares / this.#seen
    const z = Math.min(3, Math.max(-4, (d - this.#limit) / Math.sqrt(variance)))
    this.#evidence.add(
      t,
      bets.map((bet) => bet * z - (1.3 * bet * bet) / 2),
      3,
    )
    if (this.#last !== undefined) {
      this.#squares += Math.min(((d - this.#last) ** 2 / 2) * 1.5, 9 * variance)
      this.#seen += 1
    }
    this.#last = d
    this.#now = []
  }

  value(): number {
    return this.#evidence.value()
  }
}

function median(some: readonly number[]): number {
  const sorted = [...some].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}
