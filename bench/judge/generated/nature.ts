import type { Chance } from "../../../src/core/judge/fixtures.ts"
import { chanceFrom } from "../../../src/core/judge/fixtures.ts"
import * as draw from "../../judge-power/chance.ts"

/** A number for each tick. */
export type Path = readonly number[]

/** Seeded chance in the shapes that production noise takes. */
export class Nature {
  readonly #chance: Chance

  constructor(seed: number) {
    this.#chance = chanceFrom(seed)
    // The first draws of neighbouring seeds are neighbours.
    for (let i = 0; i < 8; i++) this.#chance()
  }

  uniform(low: number, high: number): number {
    return low + (high - low) * this.#chance()
  }
  /** As likely between 1 and 2 as between 10 and 20. */
  logUniform(low: number, high: number): number {
    return Math.exp(this.uniform(Math.log(low), Math.log(high)))
  }
  happens(probability: number): boolean {
    return this.#chance() < probability
  }
  whole(low: number, high: number): number {
    return Math.floor(this.uniform(low, high + 1))
  }
  pick<T>(of: readonly T[]): T {
    const one = of[Math.floor(this.#chance() * of.length)]
    if (one === undefined) throw new Error("nothing to pick from")
    return one
  }
  normal(): number {
    return draw.normal(this.#chance)
  }
  poisson(mean: number): number {
    return draw.poisson(this.#chance, mean)
  }
  /** Values that remember the last one, with this stationary standard deviation. */
  remembering(ticks: number, deviation: number, memory: number): Path {
    let last = deviation * this.normal()
    const fresh = deviation * Math.sqrt(1 - memory ** 2)
    return Array.from({ length: ticks }, () => {
      last = memory * last + fresh * this.normal()
      return last
    })
  }
  /** Events that come in clusters of geometric size: how many of either. */
  clustered(mean: number, size: number): { readonly events: number; readonly clusters: number } {
    const clusters = this.poisson(mean / size)
    let events = clusters
    if (size > 1)
      for (let i = 0; i < clusters; i++)
        events += Math.floor(Math.log(1 - this.#chance()) / Math.log(1 - 1 / size))
    return { events, clusters }
  }
  /** The mean of so many instances, each with a factor of its own for good. */
  cohort(instances: number, deviation: number): number {
    let sum = 0
    for (let i = 0; i < instances; i++) sum += Math.exp(deviation * this.normal())
    return sum / instances
  }
}
