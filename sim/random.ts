/**
 * Chance by name: every decision is drawn from the seed, the place that asks and how often it asked before.
 * Taking one fault away therefore does not reshuffle the others, which is what makes shrinking work.
 */
export class Chance {
  readonly #seed: number
  readonly #places = new Map<string, Place>()

  constructor(seed: number) {
    this.#seed = seed
  }

  /** The next number of a place, 0 ≤ x < 1. */
  draw(site: string): number {
    return this.at(site).draw()
  }

  /** For whoever asks often at one place: its name is made and hashed once. */
  at(site: string): Place {
    const known = this.#places.get(site)
    if (known) return known
    const made = new Place(this.#seed, site)
    this.#places.set(site, made)
    return made
  }

  /** A whole number, `from` ≤ n ≤ `to`. */
  between(site: string, from: number, to: number): number {
    return this.at(site).between(from, to)
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

/** One place that asks chance, and how often it did. */
export class Place {
  readonly #name: number
  #asked = 0

  constructor(seed: number, site: string) {
    this.#name = named(seed, site)
  }

  /** Its next number, 0 ≤ x < 1. */
  draw(): number {
    return numbered(this.#name, ++this.#asked)
  }

  /** A whole number, `from` ≤ n ≤ `to`. */
  between(from: number, to: number): number {
    return from + Math.floor(this.draw() * (to - from + 1))
  }
}

/** The number that belongs to a seed, a place and a count. */
export const keyed = (seed: number, site: string, count: number): number => numbered(named(seed, site), count)

/** FNV-1a over the name: only 32-bit integers, the same on every machine. */
function named(seed: number, site: string): number {
  let hash = (2_166_136_261 ^ seed) >>> 0
  for (let i = 0; i < site.length; i++) hash = Math.imul(hash ^ site.charCodeAt(i), 16_777_619)
  return hash
}

/** A finalizer of murmur3. */
function numbered(name: number, count: number): number {
  let hash = Math.imul(name ^ count, 0x85ebca6b)
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

  /** The same for a number: cheaper than writing it out. */
  addNumber(value: number): void {
    const whole = Math.floor(value)
    this.#mix(whole | 0)
    if (whole !== value) this.#mix(((value - whole) * 4_294_967_296) | 0)
  }

  #mix(word: number): void {
    this.#a = Math.imul(this.#a ^ word, 16_777_619)
    this.#b = Math.imul(this.#b ^ word, 0x85ebca6b) ^ (this.#b >>> 13)
  }

  hex(): string {
    return hex(this.#a) + hex(this.#b)
  }
}

const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, "0")
