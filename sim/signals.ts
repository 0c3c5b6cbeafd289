/** What runs something later on the virtual clock; false from `run` means that nothing came of it. */
type Later = (forMs: number, run: () => boolean) => unknown

let later: Later | undefined

type Listener = () => void
const none: readonly VirtualSignal[] = []
/** One of each for all: an error of its own would cost more than the call it ends. */
const timedOut = new Error("The operation was aborted due to timeout")
const abandoned = new Error("This operation was aborted")

/** AbortSignal without an event loop: the same promises, on the virtual clock, in a fixed order. */
class VirtualSignal {
  #aborted = false
  #reason: unknown
  /** Those without sources of their own, however deep the composites were built. */
  readonly #sources: readonly VirtualSignal[]
  /** A list: most signals have one listener or none, and a set has to give each function an identity of its own. */
  #listeners: Listener[] = []
  #follow: Listener | undefined

  constructor(sources: readonly VirtualSignal[] = none, timeout?: number) {
    this.#sources = sources
    if (timeout !== undefined) this.#wind(timeout)
  }

  get aborted(): boolean {
    return this.#aborted || this.#abortedSource() !== undefined
  }

  get reason(): unknown {
    return this.#aborted ? this.#reason : this.#abortedSource()?.reason
  }

  #abortedSource(): VirtualSignal | undefined {
    for (const source of this.#sources) if (source.#aborted) return source
    return undefined
  }

  /** Sources are followed only while somebody listens: a composite that is done leaves nothing behind. */
  addEventListener(_type: string, listener: Listener): void {
    if (this.#aborted) return
    if (this.#listeners.length === 0 && this.#sources.length > 0) {
      this.#follow ??= () => void this.abort(this.#abortedSource()?.reason)
      for (const source of this.#sources) source.#hear(this.#follow)
    }
    this.#hear(listener)
  }

  #hear(listener: Listener): void {
    if (!this.#listeners.includes(listener)) this.#listeners.push(listener)
  }

  removeEventListener(_type: string, listener: Listener): void {
    this.#forget(listener)
    if (this.#listeners.length === 0 && this.#follow)
      for (const source of this.#sources) source.#forget(this.#follow)
  }

  #forget(listener: Listener): void {
    const at = this.#listeners.lastIndexOf(listener)
    if (at >= 0) this.#listeners.splice(at, 1)
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }

  abort(reason: unknown): boolean {
    if (this.#aborted) return false
    this.#aborted = true
    this.#reason = reason
    if (this.#listeners.length === 0) return false
    const heard = this.#listeners
    this.#listeners = []
    for (const listener of heard) listener()
    return true
  }

  #wind(forMs: number): void {
    if (!later) throw new Error("AbortSignal.timeout was asked for outside of a simulated world")
    later(forMs, () => this.abort(timedOut))
  }

  static any(sources: readonly VirtualSignal[]): VirtualSignal {
    const all: VirtualSignal[] = []
    for (const source of sources)
      if (source.#sources.length > 0) all.push(...source.#sources)
      else all.push(source)
    return new VirtualSignal(all)
  }

  static timeout(forMs: number): VirtualSignal {
    return new VirtualSignal(none, forMs)
  }

  static abort(reason?: unknown): VirtualSignal {
    const signal = new VirtualSignal()
    signal.abort(reason)
    return signal
  }
}

class VirtualController {
  readonly signal = new VirtualSignal()
  abort(reason: unknown = abandoned): void {
    this.signal.abort(reason)
  }
}

const forbid = (name: string) => (): never => {
  throw new Error(`${name} was called inside a simulated world: time and chance must arrive as arguments`)
}

/**
 * Runs with every real clock, timer and source of chance replaced: signals live on the virtual clock, the
 * rest throws. Errors tell where they were made only `withStacks`. Puts everything back afterwards.
 */
export async function withoutRealTime<T>(
  onTimeout: Later,
  withStacks: boolean,
  run: () => Promise<T>,
): Promise<T> {
  const globals = globalThis as unknown as Record<string, unknown>
  const names = ["AbortSignal", "AbortController", "setTimeout", "setInterval", "setImmediate"]
  const kept = new Map(names.map((name) => [name, globals[name]]))
  const { now } = Date
  const { random } = Math
  const { stackTraceLimit } = Error
  later = onTimeout
  globals.AbortSignal = VirtualSignal
  globals.AbortController = VirtualController
  for (const name of ["setTimeout", "setInterval", "setImmediate"]) globals[name] = forbid(name)
  Date.now = forbid("Date.now")
  Math.random = forbid("Math.random")
  // Refusals are part of life here, and nobody reads where they were made.
  if (!withStacks) Error.stackTraceLimit = 0
  try {
    return await run()
  } finally {
    for (const [name, value] of kept) globals[name] = value
    Date.now = now
    Math.random = random
    Error.stackTraceLimit = stackTraceLimit
    later = undefined
  }
}
