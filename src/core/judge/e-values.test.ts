import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { House } from "./bets.ts"
import { house, openBets, settle } from "./bets.ts"
import { effectsOf } from "./effects.ts"
import { exactBernoulliLogEs } from "./exact-bernoulli.ts"
import { oneSampleBernoulliLogE } from "./one-sample-bernoulli.ts"
import { oneSamplePoissonLogE } from "./one-sample-poisson.ts"
import { project } from "./projection.ts"
import { riskRatioLogEs } from "./risk-ratio.ts"
import type { Margin, Tally } from "./tally.ts"
import golden from "./vectors/eprocess-vectors.json" with { type: "json" }

const numbers = (value: unknown): readonly number[] => (Array.isArray(value) ? value.map(Number) : [])
/** All money is laid on these shares at the start, and none anew. */
const all = (shares: readonly number[]): House => ({ shares: [...shares, 0], anew: 0 })
/** The log e-value of a single guess. */
const riskRatioLogE = (tally: Tally, margin: Margin, rho: number): number =>
  riskRatioLogEs(tally, margin, effectsOf([rho]), 1)[0] ?? Number.NaN
const exactBernoulliLogE = (tally: Tally, margin: Margin, guess: number, psi: number): number =>
  exactBernoulliLogEs(tally, margin, guess, effectsOf([psi]), 1)[0] ?? Number.NaN
const even = (n: number): readonly number[] => new Array<number>(n).fill(1 / n)

describe("the golden vectors", () => {
  it("are of no other kind than the three that are tested here", () => {
    const kinds = new Set(golden.vectors.map(({ kind }) => kind))
    expect([...kinds].sort()).toEqual(["RIPr", "RRE", "exactBernoulli"])
  })

  for (const vector of golden.vectors.filter(({ kind }) => kind === "RRE")) {
    it(`risk ratio: ${vector.name}`, () => {
      const rules = all(numbers(vector.weights))
      const rho = numbers(vector.rho)
      const margin = { r: Number(vector.r), d: Number(vector.d) }
      let bets = openBets(rules)
      numbers(vector.logE).forEach((expected, i) => {
        const [n1, k1, n0, k0] = [vector.n1, vector.k1, vector.n0, vector.k0].map(
          (side) => numbers(side)[i] ?? 0,
        )
        const tally = { n1: n1 ?? 0, k1: k1 ?? 0, n0: n0 ?? 0, k0: k0 ?? 0 }
        const logEs = riskRatioLogEs(tally, margin, effectsOf(rho), Number(vector.phi))
        bets = settle(bets, rules, logEs, Number.POSITIVE_INFINITY)
        expect(Math.abs(bets.log - expected)).toBeLessThan(1e-9)
      })
    })
  }

  for (const vector of golden.vectors.filter(({ kind }) => kind === "exactBernoulli")) {
    it(`exact Bernoulli: ${vector.name}`, () => {
      const psi = numbers(vector.psi)
      const rules = all(even(psi.length))
      const margin = { r: 1, d: 0 }
      const [n1, n0] = [Number(vector.n1), Number(vector.n0)]
      let bets = openBets(rules)
      let past = { k: 0, n: 0 }
      numbers(vector.logE).forEach((expected, i) => {
        const tally = { n1, k1: numbers(vector.k1)[i] ?? 0, n0, k0: numbers(vector.k0)[i] ?? 0 }
        const guess = (past.k + 0.5) / (past.n + 50)
        const logEs = exactBernoulliLogEs(tally, margin, guess, effectsOf(psi), 1)
        bets = settle(bets, rules, logEs, Number.POSITIVE_INFINITY)
        expect(Math.abs(bets.log - expected)).toBeLessThan(1e-6)
        past = { k: past.k + tally.k1 + tally.k0, n: past.n + n1 + n0 }
      })
    })
  }

  for (const vector of golden.vectors.filter(({ kind }) => kind === "RIPr")) {
    it("projection on the margin", () => {
      const margin = { r: Number(vector.r), d: Number(vector.d) }
      const { q1, q0 } = project(
        Number(vector.pa),
        Number(vector.pb),
        Number(vector.n1),
        Number(vector.n0),
        margin,
      )
      expect(Math.abs(q1 - Number(vector.q1))).toBeLessThan(1e-5)
      expect(Math.abs(q0 - Number(vector.q0))).toBeLessThan(1e-5)
    })
  }
})

const pmf = (n: number, p: number): readonly number[] => {
  const row = [(1 - p) ** n]
  for (let k = 1; k <= n; k++) row.push(binomialCoefficient(n, k) * p ** k * (1 - p) ** (n - k))
  return row
}
function binomialCoefficient(n: number, k: number): number {
  let c = 1
  for (let i = 1; i <= k; i++) c = (c * (n - k + i)) / i
  return c
}

/** E[e] by enumeration of every outcome of both sides. */
function expectation(n1: number, n0: number, p1: number, p0: number, logE: (tally: Tally) => number): number {
  let sum = 0
  pmf(n1, p1).forEach((a, k1) => {
    pmf(n0, p0).forEach((b, k0) => {
      sum += a * b * Math.exp(logE({ n1, k1, n0, k0 }))
    })
  })
  return sum
}

const fairBy = 1 + 1e-9
const size = fc.integer({ min: 1, max: 14 })
const share = fc.double({ min: 0, max: 1, noNaN: true })
const open = fc.double({ min: 0.001, max: 0.999, noNaN: true })
const margins: fc.Arbitrary<Margin> = fc.record({
  r: fc.double({ min: 1, max: 4, noNaN: true }),
  d: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 0.2, noNaN: true })),
})
const more = fc.double({ min: 1.01, max: 100, noNaN: true })

describe("no test expects to win while its null hypothesis holds, by enumeration of every outcome", () => {
  it("risk ratio, at any baseline, margin and traffic", () => {
    fc.assert(
      fc.property(size, size, share, share, margins, more, (n1, n0, p0, x, margin, rho) => {
        const p1 = x * Math.min(1, margin.r * p0 + margin.d)
        expect(expectation(n1, n0, p1, p0, (t) => riskRatioLogE(t, margin, rho))).toBeLessThanOrEqual(fairBy)
      }),
      { numRuns: 300 },
    )
  })

  it("risk ratio for promotion: the canary is at least as bad as the margin", () => {
    fc.assert(
      fc.property(size, size, share, share, margins, more, (n1, n0, p0, x, margin, rho) => {
        const bound = margin.r * p0 + margin.d
        fc.pre(bound <= 1)
        const p1 = bound + x * (1 - bound)
        expect(expectation(n1, n0, p1, p0, (t) => riskRatioLogE(t, margin, 1 / rho))).toBeLessThanOrEqual(
          fairBy,
        )
      }),
      { numRuns: 300 },
    )
  })

  it("exact Bernoulli, both ways, at any guess", () => {
    fc.assert(
      fc.property(size, size, share, share, margins, open, more, (n1, n0, p0, x, margin, guess, psi) => {
        const bound = margin.r * p0 + margin.d
        const p1 = x * Math.min(1, bound)
        expect(
          expectation(n1, n0, p1, p0, (t) => exactBernoulliLogE(t, margin, guess, psi)),
        ).toBeLessThanOrEqual(fairBy)
        if (bound > 1) return
        const bad = bound + x * (1 - bound)
        expect(
          expectation(n1, n0, bad, p0, (t) => exactBernoulliLogE(t, margin, guess, 1 / psi)),
        ).toBeLessThanOrEqual(fairBy)
      }),
      { numRuns: 300 },
    )
  })

  it("an absolute share, both ways", () => {
    fc.assert(
      fc.property(size, open, share, more, (n, limit, x, psi) => {
        const e = (p: number, factor: number) =>
          pmf(n, p).reduce(
            (sum, w, k) => sum + w * Math.exp(oneSampleBernoulliLogE({ n, k }, limit, factor)),
            0,
          )
        expect(e(limit * x, psi)).toBeLessThanOrEqual(fairBy)
        expect(e(limit + (1 - limit) * x, 1 / psi)).toBeLessThanOrEqual(fairBy)
      }),
      { numRuns: 300 },
    )
  })

  it("an absolute rate of events, both ways", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 5, noNaN: true }),
        share,
        fc.double({ min: 1.01, max: 4, noNaN: true }),
        (limit, x, rho) => {
          const e = (rate: number, factor: number) => {
            let sum = 0
            let weight = Math.exp(-rate)
            for (let k = 0; k < 150; k++) {
              sum += weight * Math.exp(oneSamplePoissonLogE({ n: 1, k }, limit, factor))
              weight *= rate / (k + 1)
            }
            return sum
          }
          expect(e(limit * x, rho)).toBeLessThanOrEqual(fairBy)
          expect(e(limit * (1 + x), 1 / rho)).toBeLessThanOrEqual(fairBy)
        },
      ),
      { numRuns: 200 },
    )
  })

  it("the money that is laid anew, the cap and the ceiling create none", () => {
    const rules = house([1, 2, 1])
    const guesses = [1.5, 3, 10]
    fc.assert(
      fc.property(
        size,
        size,
        share,
        fc.integer({ min: 0, max: 6 }),
        fc.double({ min: 0.1, max: 3, noNaN: true }),
        (n1, n0, p, bad, cap) => {
          const bet = (t: Tally) => guesses.map((rho) => riskRatioLogE(t, { r: 1, d: 0 }, rho))
          const before = settle(openBets(rules), rules, bet({ n1: 10, k1: bad, n0: 10, k0: 1 }), cap)
          const after = expectation(n1, n0, p, p, (t) => settle(before, rules, bet(t), cap, 4).log)
          expect(after).toBeLessThanOrEqual(Math.exp(before.log) * fairBy)
        },
      ),
      { numRuns: 200 },
    )
  })
})

it("an interval in which one side saw nothing is no evidence", () => {
  const margin = { r: 1.2, d: 0.001 }
  expect(riskRatioLogE({ n1: 0, k1: 0, n0: 10, k0: 9 }, margin, 2)).toBe(0)
  expect(riskRatioLogE({ n1: 10, k1: 9, n0: 0, k0: 0 }, margin, 2)).toBe(0)
  expect(exactBernoulliLogE({ n1: 10, k1: 9, n0: 0, k0: 0 }, margin, 0.1, 5)).toBe(0)
})
