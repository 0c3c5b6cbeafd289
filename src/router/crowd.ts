/** The place of somebody in a crowd. */
export type Place<T> = { readonly one: T; at: number }

const gone = -1

/**
 * Those who are in something now, in no order.
 *
 * Not a `Set`: one that is added to and deleted from all the time puts a new table in the place of its old one
 * again and again, and V8 lets each old table point to the next. Once one of them has grown old, all that follow
 * stay until the next large collection, with everything that was in them: an eighth of all that a request takes.
 */
export class Crowd<T> implements Iterable<T> {
  readonly #places: Place<T>[] = []

  get size(): number {
    return this.#places.length
  }

  enter(one: T): Place<T> {
    const place = { one, at: this.#places.length }
    this.#places.push(place)
    return place
  }

  /** Whoever has left already may leave again. */
  leave(place: Place<T> | undefined): void {
    if (!place || place.at === gone) return
    const last = this.#places.pop()
    if (last && last !== place) {
      this.#places[place.at] = last
      last.at = place.at
    }
    place.at = gone
  }

  /** Those who are here at its beginning; they may leave meanwhile. */
  *[Symbol.iterator](): Iterator<T> {
    for (const { one } of [...this.#places]) yield one
  }
}
