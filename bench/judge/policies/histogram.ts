import { Evidence, logSum } from "./evidence.ts"
import { sum } from "./policy.ts"
import { Rates } from "./rates.ts"

const steps = [0.02, 0.05, 0.1, 0.2, 0.5]
const tailSteps = [0.1, 0.2, 0.4, 0.8, 1.6]

/** Latency: the mean of its logarithm, and how many requests lie beyond upper bounds; half and half. */
export class LatencyTests {
  readonly #le: readonly number[]
  readonly #edges: readonly number[]
  readonly #middles: readonly number[]
  readonly #dispersion: number
  readonly #cap: number
  readonly #learn: boolean
  readonly #location = new Evidence(steps.length)
  #tails: ReadonlyMap<number, Rates> | undefined
  #squares: number
  #seen = 8
  #usual: number | undefined
  #control: readonly number[]

  constructor(le: readonly (number | "+Inf")[], dispersion: number, cap: number, learn: boolean) {
    this.#le = le.slice(0, -1).map(Number)
    const [first = 1, last = 1] = [this.#le[0], this.#le.at(-1)]
    this.#edges = [first / 2, ...this.#le].map(Math.log)
    const all = [...this.#edges, Math.log(last * 2)]
    this.#middles = all.slice(1).map((edge, i) => (edge + (all[i] ?? 0)) / 2)
    this.#dispersion = dispersion
    this.#cap = cap
    this.#learn = learn
    this.#squares = 8 * dispersion
    this.#control = le.map(() => 0)
  }

  add(t: number, canary: readonly number[], control: readonly number[], slower: number): void {
    this.#control = this.#control.map((past, i) => 0.995 * past + (control[i] ?? 0))
    const [n, m] = [sum(canary), sum(control)]
    const all = sum(this.#control)
    if (all < 500 || n === 0 || m === 0) return
    const mean = (counts: readonly number[], of: number) =>
      sum(counts.map((count, i) => count * (this.#middles[i] ?? 0))) / of
    const centre = mean(this.#control, all)
    const spread = sum(this.#control.map((c, i) => (c / all) * (this.#middles[i] ?? 0) ** 2)) - centre ** 2
    const d = mean(canary, n) - mean(control, m)
    const noise = Math.max(spread, 1e-4) * (1 / n + 1 / m) + (this.#learn ? 2e-4 : 0)
    const variance = (noise * this.#squares) / this.#seen
    const excess = d - Math.log(slower)
    this.#location.add(
      t,
      steps.map((s) => (s * excess - (s * s) / 2) / variance),
      this.#cap,
    )
    if (this.#learn) {
      if (this.#usual !== undefined) {
        this.#squares += Math.min((d - this.#usual) ** 2 / noise, 25)
        this.#seen += 1
      }
      this.#usual = this.#usual === undefined ? d : 0.85 * this.#usual + 0.15 * d
    }
    this.#addTails(t, canary, control, slower, all)
  }

  #addTails(
    t: number,
    canary: readonly number[],
    control: readonly number[],
    slower: number,
    all: number,
  ): void {
    const cumulated = (counts: readonly number[]) => {
      let below = 0
      return counts.slice(0, -1).map((count) => {
        below += count
        return below
      })
    }
    const cdf = cumulated(this.#control).map((below) => below / all)
    const odds = this.#odds(slower, cdf, all)
    const [n, m] = [sum(canary), sum(control)]
    const [fastCanary, fastControl] = [cumulated(canary), cumulated(control)]
    if (!this.#tails) {
      const firstAt = (level: number) => {
        const i = cdf.findIndex((share) => share >= level)
        return Math.min(i < 0 ? cdf.length : i, cdf.length - 1)
      }
      const picks = Array.from({ length: firstAt(0.999) - firstAt(0.6) + 1 }, (_, i) => firstAt(0.6) + i)
      this.#tails = new Map(
        picks.map((j) => [
          j,
          new Rates({
            rel: 0,
            abs: 0.0005,
            up: true,
            dispersion: Math.max(0.5, this.#dispersion * (cdf[j] ?? 0)),
            cap: 0.6 * this.#cap,
            wobble: this.#learn ? 0.03 : 0,
            steps: tailSteps,
            learn: this.#learn,
          }),
        ]),
      )
    }
    for (const [j, test] of this.#tails) {
      const ratio = odds[j] ?? 1
      const allowed = ratio * (1 - (cdf[j] ?? 0)) + 0.0005 + 1 / all
      test.add(t, n - (fastCanary[j] ?? 0), n, m - (fastControl[j] ?? 0), m, { odds: ratio, allowed })
    }
  }

  /** How many times more requests the control would show beyond each bound if it were `slower`. */
  #odds(slower: number, cdf: readonly number[], all: number): readonly number[] {
    const edges = this.#edges
    const density = cdf.map((share, i) => {
      const width = (edges[i + 1] ?? 0) - (edges[i] ?? 0)
      return (share - (cdf[i - 1] ?? 0)) / (this.#learn ? Math.min(width, 0.15) : width)
    })
    return cdf.map((share, i) => {
      const steep = Math.max(density[i] ?? 0, density[i + 1] ?? 0)
      const above = Math.max(1 - share, 0.5 / all)
      const byShift = 1 - along(Math.log((this.#le[i] ?? 1) / slower), edges, [0, ...cdf])
      const bySlope = above + Math.log(slower) * steep
      const moved = Math.min(1 - 1e-9, Math.max(1e-9, slower > 1.5 ? byShift : Math.max(bySlope, byShift)))
      return (moved + (this.#learn ? 0.0003 : 0)) / above
    })
  }

  value(): number {
    const tails = this.#tails ? [...this.#tails.values()].map((test) => test.value()) : [0]
    return logSum([this.#location.value(), logSum(tails) - Math.log(tails.length)]) - Math.LN2
  }
}

/** Straight lines between the points, flat beyond them. */
function along(x: number, xs: readonly number[], ys: readonly number[]): number {
  if (x <= (xs[0] ?? 0)) return ys[0] ?? 0
  const i = xs.findIndex((at) => at >= x)
  if (i < 0) return ys.at(-1) ?? 0
  const [x0, x1, y0, y1] = [xs[i - 1] ?? 0, xs[i] ?? 0, ys[i - 1] ?? 0, ys[i] ?? 0]
  return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0)
}
