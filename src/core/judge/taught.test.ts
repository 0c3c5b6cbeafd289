import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { house } from "./bets.ts"
import type { Suspicion } from "./suspicion.ts"
import { openSuspicion, suspicionAtMost, withSuspicion } from "./suspicion.ts"
import type { Taught } from "./taught.ts"
import { evidenceIn, logOf, mixtureOf, openTaught, playOn, taughtAtMost, teach } from "./taught.ts"

const rules = house([1, 2])
const noCap = Number.POSITIVE_INFINITY

type Charge = { readonly worse: Suspicion; readonly taught: Taught | undefined }

const judge = ({ worse, taught }: Charge, logEs: readonly number[]): Charge => ({
  worse: withSuspicion(worse, rules, logEs, noCap, "judged"),
  taught: taught && playOn(taught, rules, logEs, noCap),
})

/** Log e-value of several charges together, each with an equal share. */
const together = (charges: readonly Charge[]): number =>
  logOf(
    mixtureOf(
      charges.map((charge) => ({ of: evidenceIn(charge.worse, charge.taught), share: 1 / charges.length })),
    ),
  )

/** What two guesses gain in one of two outcomes, the first of this probability, so that nobody gains on average. */
const fair = fc.record({
  probability: fc.double({ min: 0.05, max: 0.95, noNaN: true }),
  gains: fc.array(fc.double({ min: 0.1, max: 0.9, noNaN: true }), { minLength: 2, maxLength: 2 }),
})
const outcomesOf = ({ probability: p, gains }: { probability: number; gains: readonly number[] }) => [
  { chance: p, logEs: gains.map((gain) => Math.log(gain / p)) },
  { chance: 1 - p, logEs: gains.map((gain) => Math.log((1 - gain) / (1 - p))) },
]

/** Toy winnings of a warm-up, charge by charge. */
const lessons = fc.array(
  fc.array(fc.double({ min: -6, max: 6, noNaN: true }), { minLength: 2, maxLength: 2 }),
  { minLength: 1, maxLength: 4 },
)
const taughtBy = (each: readonly (readonly number[])[]): Charge[] =>
  each.map((logEs) => ({
    worse: openSuspicion(rules),
    taught: teach(teach(openTaught(rules), rules, logEs, noCap), rules, logEs, noCap),
  }))

describe("what a warm-up teaches", () => {
  it("is no evidence, whatever it was: only toy money was won", () => {
    fc.assert(
      fc.property(lessons, (each) => {
        expect(together(taughtBy(each))).toBeCloseTo(0, 9)
      }),
    )
  })

  it("keeps the game fair: on average, over all that may happen next, nobody gains", () => {
    fc.assert(
      fc.property(lessons, fair, fair, (each, first, second) => {
        const start = taughtBy(each)
        let mean = 0
        for (const a of outcomesOf(first))
          for (const b of outcomesOf(second)) {
            const after = start.map((charge, i) => {
              const once = judge(charge, a.logEs)
              // The first charge alone sees the second interval.
              return i === 0 ? judge(once, b.logEs) : once
            })
            mean += a.chance * b.chance * Math.exp(together(after))
          }
        expect(mean).toBeCloseTo(1, 9)
      }),
    )
  })

  it("lets the charge that won most in it convict sooner", () => {
    const won = Math.log(30)
    const taught = taughtBy([
      [won, won],
      [0, 0],
      [0, 0],
    ])
    const untaught = taught.map(() => ({ worse: openSuspicion(rules), taught: undefined }))
    const next = (charges: readonly Charge[]) =>
      charges.map((charge, i) => judge(charge, [i === 0 ? 3 : 0, 0]))
    expect(together(next(taught))).toBeGreaterThan(together(next(untaught)) + 0.3)
  })

  it("is given up as other evidence is when a retry starts", () => {
    const [charge] = taughtBy([[2, 2]]).map((one) => judge(one, [6, 6]))
    if (!charge) throw new Error("no charge")
    expect(together([charge])).toBeGreaterThan(4)
    expect(
      together([
        { worse: suspicionAtMost(charge.worse, 2), taught: charge.taught && taughtAtMost(charge.taught, 2) },
      ]),
    ).toBeLessThanOrEqual(2 + 1e-9)
  })
})
