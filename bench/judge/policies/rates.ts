import { Evidence, logSum } from "./evidence.ts"

export type RatesSetup = {
  readonly rel: number
  readonly abs: number
  readonly up: boolean
  readonly dispersion: number
  readonly cap: number
  readonly wobble: number
  readonly steps?: readonly number[]
  readonly learn: boolean
}

type Extras = { readonly abs?: number; readonly odds?: number; readonly allowed?: number }

const up = [0.2, 0.45, 0.9, 1.6, 2.6]
const down = [-0.05, -0.12, -0.25, -0.5, -1]

/**
 * x events in n against y in m. Two tests side by side: given x + y, x is binomial (whatever hits both
 * sides cancels); and x is Poisson at the rate that the control so far allows (for very rare events).
 */
export class Rates {
  readonly #setup: RatesSetup
  readonly #steps: readonly number[]
  readonly #conditional: Evidence
  readonly #plugIn: Evidence | undefined
  #squares: number
  #seen = 8
  /** Fading x, n, y, m. */
  #recent: readonly [number, number, number, number] = [0, 0, 0, 0]
  #events = 0
  #exposure = 0

  constructor(setup: RatesSetup) {
    this.#setup = setup
    this.#steps = setup.steps ?? (setup.up ? up : down)
    this.#conditional = new Evidence(this.#steps.length)
    this.#plugIn = setup.abs > 0 ? new Evidence(this.#steps.length) : undefined
    this.#squares = 8 * setup.dispersion
  }

  add(t: number, x: number, n: number, y: number, m: number, extras: Extras = {}): void {
    if (n <= 0 || m <= 0) return
    const { rel, up: isUp, cap, wobble, learn } = this.#setup
    const abs = this.#setup.abs + (extras.abs ?? 0)
    this.#events += y
    this.#exposure += m
    const [a, b, c, d] = this.#recent
    const [rx, rn, ry, rm] = [0.85 * a + x, 0.85 * b + n, 0.85 * c + y, 0.85 * d + m]
    this.#recent = [rx, rn, ry, rm]
    const events = x + y
    const dispersion = this.#squares / this.#seen + (wobble ** 2 * events * n) / (n + m)
    const longRun = (this.#events + 0.5) / (this.#exposure + 1)
    const local = (ry + 0.5) / (rm + 1)
    const p = ry >= 3 ? Math.min(longRun, local) : longRun
    const r = extras.odds ?? (isUp ? 1 + rel + abs / p : 1 - rel)
    this.#conditional.add(
      t,
      this.#steps.map(
        (s) => (x * s - events * Math.log((n * r * Math.exp(s) + m) / (n * r + m))) / dispersion,
      ),
      cap,
    )
    if (this.#plugIn) {
      const high = (this.#events + 1 + Math.sqrt(this.#events)) / this.#exposure
      const allowed = extras.allowed ?? (1 + rel) * high + abs
      const rare = Math.max(high, ry / rm) < 6 * this.#setup.abs
      const gain = (s: number) =>
        rare || !learn ? (x * s - n * Math.min(1, allowed) * (Math.exp(s) - 1)) / dispersion : 0
      this.#plugIn.add(t, this.#steps.map(gain), cap)
    }
    if (events > 0 && learn) this.#learn(x, n, y, m)
  }

  #learn(x: number, n: number, y: number, m: number): void {
    const [rx, rn, ry, rm] = this.#recent
    const [x0, n0, y0, m0] = [rx - x, rn - n, ry - y, rm - m]
    if (!(n0 > 0 && m0 > 0)) return
    const ratio = (x0 + 0.5) / (n0 + 1) / ((y0 + 0.5) / (m0 + 1))
    const theta = Math.min(Math.max((n * ratio) / (n * ratio + m), 1e-6), 1 - 1e-6)
    const events = x + y
    const expected = events * theta * (1 - theta)
    const enough = Math.min(1, 2 * expected)
    this.#squares += enough * Math.min((x - events * theta) ** 2 / expected, 25)
    this.#seen += enough
  }

  value(): number {
    if (!this.#plugIn) return this.#conditional.value()
    return logSum([this.#conditional.value(), this.#plugIn.value()]) - Math.LN2
  }
}
