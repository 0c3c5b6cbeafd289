/**
 * Chance by name: every decision is drawn from the seed, the place that asks and how often it asked before.
 * Taking one fault away therefore does not reshuffle the others, which is what makes shrinking work.
 */
export class Chance {
  readonly #seed: number
  readonly #asked = new Map<string, number>()

  constructor(seed: number) {
    this.#seed = seed
  }

  /** The next number of a place, 0 ≤ x < 1. */
  draw(site: string): number {
    const count = (this.#asked.get(site) ?? 0) + 1
    this.#asked.set(site, count)
    return keyed(this.#seed, site, count)
  }

  /** A whole number, `from` ≤ n ≤ `to`. */
  between(site: string, from: number, to: number): number {
    return from + Math.floor(this.draw(site) * (to - from + 1))
  }

  chance(site: string, probability: number): boolean {
    return this.draw(site) < probability
  }

  pick<T>(site: string, items: readonly T[]): T {
    const found = items[Math.floor(this.draw(site) * items.length)]
    if (found === undefined) throw new Error(`${site}: there is nothing to pick from`)
    return found
  }
}

/** FNV-1a over the name, then a finalizer of murmur3: only 32-bit integers, the same on every machine. */
export function keyed(seed: number, site: string, count: number): number {
  let hash = (2_166_136_261 ^ seed) >>> 0
  for (let i = 0; i < site.length; i++) hash = Math.imul(hash ^ site.charCodeAt(i), 16_777_619)
  hash = Math.imul(hash ^ count, 0x85ebca6b)
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  hash ^= hash >>> 16
  return (hash >>> 0) / 4_294_967_296
}

/** Adds a text to a running 53-bit hash, kept as two 32-bit halves. */
export class Digest {
  #a = 0x811c9dc5
  #b = 0x1b873593

  add(text: string): void {
    let a = this.#a
    let b = this.#b
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      a = Math.imul(a ^ code, 16_777_619)
      b = Math.imul(b ^ code, 0x85ebca6b) ^ (b >>> 13)
    }
    this.#a = a
    this.#b = b
  }

  hex(): string {
    return [this.#a, this.#b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("")
  }
}
