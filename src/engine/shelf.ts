import { type Packed, pack, unpack } from "../ports/packed.ts"

/**
 * Keeps values of which few are used at a time: those used last as they are, all others packed. Ten thousand
 * applications at rest, each looked at every quarter of an hour, need not all lie open.
 */
export class Shelf {
  readonly #open = new Set<Place<unknown>>()
  readonly #most: number

  /** `most`: how many lie open; at least 1. */
  constructor(most: number) {
    this.#most = most
  }

  /** For a value that is never changed, only replaced. */
  place<T>(value: T): Place<T> {
    return new Place(this.#makeRoom, value)
  }

  readonly #makeRoom = (place: Place<unknown>): void => {
    this.#open.add(place)
    for (const oldest of this.#open) {
      if (this.#open.size <= this.#most) return
      this.#open.delete(oldest)
      // Whatever was used since it was put here is as good as new; the newest stays in any case.
      if (oldest === place || oldest.wasUsed()) this.#open.add(oldest)
      else oldest.close()
    }
  }
}

/**
 * Where one value lies. What is only looked at in passing is borrowed: it takes no place among the open ones, and makes
 * nobody else leave, so that looks at all in turn do not keep the collector of garbage busy with what they opened.
 */
export class Place<T> {
  readonly #opened: (place: Place<unknown>) => void
  #value: { readonly now: T } | undefined
  #packed: Packed | undefined
  #used = false
  #borrowed = false

  constructor(opened: (place: Place<unknown>) => void, value: T) {
    this.#opened = opened
    this.#value = { now: value }
    opened(this)
  }

  get(): T {
    this.#used = true
    const now = this.peek()
    if (!this.#value) {
      this.#value = { now }
      this.#opened(this)
    }
    return now
  }

  /** To look at it once: it stays as it lies. */
  peek(): T {
    return this.#value ? this.#value.now : (unpack(this.#packed ?? new Uint8Array()) as T)
  }

  set(value: T): void {
    const wasOpen = this.#value !== undefined && !this.#borrowed
    this.#borrowed = false
    this.#used = true
    this.#packed = undefined
    this.#value = { now: value }
    if (!wasOpen) this.#opened(this)
  }

  /** Until `giveBack` it lies open for whoever gets it. */
  borrow(): void {
    if (this.#value) return
    this.#value = { now: this.peek() }
    this.#borrowed = true
  }

  /** The same with a value that takes the place of the one before. */
  lend(value: T): void {
    if (this.#value && !this.#borrowed) return this.set(value)
    this.#packed = undefined
    this.#value = { now: value }
    this.#borrowed = true
  }

  /** It lies packed again, unless it was replaced meanwhile, or lay open before. */
  giveBack(): void {
    if (this.#borrowed) this.close()
  }

  /** Puts away a value that is packed already. */
  setPacked(packed: Packed): void {
    this.#packed = packed
    this.#value = undefined
    this.#borrowed = false
  }

  /** Whether it was used since this was last asked. */
  wasUsed(): boolean {
    const used = this.#used
    this.#used = false
    return used
  }

  close(): void {
    this.#borrowed = false
    if (this.#value) this.#packed ??= pack(this.#value.now)
    this.#value = undefined
  }
}
