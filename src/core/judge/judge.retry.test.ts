import { describe, expect, it } from "vitest"
import { errors, only, requests, second, watched } from "./fixtures.ts"
import { observe, startJudge, tryAgain } from "./judge.ts"

const bad = (i: number) => second(i, errors, requests(40, 4), requests(80, 0))
const good = (i: number) => second(i, errors, requests(40, 0), requests(80, 0))

describe("a retry of the same release", () => {
  const proven = watched(startJudge([errors]), 10, bad)
  const again = tryAgain(proven)

  it("starts with the evidence of its earlier attempt, short of a proof, and has seen nothing yet", () => {
    expect(only(proven).kind).toBe("worse")
    expect(only(again)).toMatchObject({ kind: "nodata", because: "nothing was measured yet" })
    expect(only(again).logEvidence).toBeCloseTo(Math.log(200) / 2, 9)
  })

  it("is convicted sooner than a release of which nothing is known, but not by a single second", () => {
    const secondsTo = (state: typeof again) => {
      let now = state
      for (let i = 1; ; i++) {
        now = observe(now, bad(100 + i))
        if (only(now).kind === "worse") return i
      }
    }
    expect(secondsTo(again)).toBe(2)
    expect(secondsTo(startJudge([errors]))).toBeGreaterThan(2)
  })

  it("is acquitted by behaving well", () => {
    expect(only(watched(again, 120, (i) => good(100 + i))).kind).toBe("ok")
  })

  it("that was tried often gains nothing by it: the loop does not roll the dice anew", () => {
    const suspicious = watched(startJudge([errors]), 3, bad)
    const evidence = only(suspicious).logEvidence
    const tried = Array.from({ length: 10 }).reduce<typeof again>(tryAgain, suspicious)
    expect(only(tried).logEvidence).toBeCloseTo(Math.min(evidence, Math.log(200) / 2))
  })
})

describe("an interval that was heard already, or comes late", () => {
  const known = watched(startJudge([errors]), 3, bad)

  it("is no second proof", () => {
    const repeated = [0, 1, 2, 0, 1, 2].map(bad).reduce(observe, known)
    expect(only(repeated).logEvidence).toBe(only(known).logEvidence)
  })

  it("is told as blindness when nothing else comes, so that a clock that went back passes nothing", () => {
    const stuck = [0, 1, 2].map(good).reduce(observe, known)
    expect(only(stuck)).toMatchObject({
      kind: "nodata",
      because: "it could not be measured in the last 3 intervals: what came was measured before",
    })
    expect(only(observe(stuck, bad(3))).kind).not.toBe("nodata")
  })
})
