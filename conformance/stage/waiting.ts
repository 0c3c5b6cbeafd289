import { setTimeout as sleep } from "node:timers/promises"

/** A promise of the checklist that was not kept: what was seen instead. */
export class Broken extends Error {}

/** Throws unless it is so. */
export function must(isSo: boolean | undefined, otherwise: string): asserts isSo {
  if (!isSo) throw new Broken(otherwise)
}

/** Looks until it is so, at most `ms` milliseconds; tells whether it became so. */
export async function becomes(look: () => boolean | Promise<boolean>, ms = 10_000): Promise<boolean> {
  const deadline = performance.now() + ms
  for (;;) {
    if (await look()) return true
    if (performance.now() > deadline) return false
    await sleep(5)
  }
}

/** As `becomes`, and throws when it does not. */
export async function soon(what: string, look: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  if (!(await becomes(look, ms))) throw new Broken(`waited ${ms} ms in vain for: ${what}`)
}

/** Things that were started, ended in reverse order. */
export class Cleanup {
  readonly #ends: (() => unknown)[] = []

  add(end: () => unknown): void {
    this.#ends.push(end)
  }

  async run(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end()
  }
}
