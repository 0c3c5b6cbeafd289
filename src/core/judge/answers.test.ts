import { describe, expect, it } from "vitest"
import type { PathCount } from "../model/measurement.ts"
import type { MetricPolicy } from "../model/policy.ts"
import { observe, observeWarmUp, startJudge, tryAgain, verdicts } from "./judge.ts"
import { pairedLogE, shareOfPath } from "./paired.ts"

const metric = (accept: readonly string[] = []): MetricPolicy => ({
  name: "answers",
  source: { type: "answers", ask: ["/"], accept },
  kind: "answers",
  worse: "up",
  critical: false,
  tolerateRatio: 0,
  tolerateDelta: 0,
})
const path = (change: Partial<PathCount> = {}): PathCount => ({
  endpoint: "GET /",
  path: "body.price",
  structural: false,
  raw: 0,
  confirmed: 0,
  noise: 0,
  ...change,
})
const interval = (i: number, compared: number, paths: readonly PathCount[]) => {
  const seen = { kind: "answers", compared, paths } as const
  return { metric: "answers", from: i * 1_000, to: (i + 1) * 1_000, canary: seen, control: seen }
}
const judged = (paths: readonly PathCount[], accept: readonly string[] = []) =>
  verdicts(observe(startJudge([metric(accept)]), interval(0, 200, paths)))[0]

describe("answers under judgement", () => {
  it("are ok when enough were compared and none differs on the candidate alone", () => {
    expect(judged([path({ noise: 3 })])).toMatchObject({ kind: "ok", critical: false })
    const few = verdicts(observe(startJudge([metric()]), interval(0, 10, [])))[0]
    expect(few).toMatchObject({ kind: "unsure" })
  })

  it("convict a shape that never varied and differed three times, each seen twice, by themselves", () => {
    const shape = path({ structural: true, raw: 3, confirmed: 3 })
    expect(judged([shape])).toMatchObject({ kind: "worse", critical: true, paths: [{ state: "proven" }] })
    expect(judged([{ ...shape, confirmed: 2 }])).toMatchObject({ kind: "unsure" })
    expect(judged([{ ...shape, noise: 1 }])).not.toMatchObject({ kind: "worse" })
  })

  it("convict another content when chance is excluded, and then not alone", () => {
    expect(judged([path({ raw: 30 })])).toMatchObject({ kind: "worse", critical: false })
    expect(judged([path({ raw: 30, noise: 28 })])).toMatchObject({ kind: "ok" })
  })

  it("accuse nobody of a change that is accepted", () => {
    const changed = [path({ raw: 30 }), path({ path: "body.tax", structural: true, raw: 9, confirmed: 9 })]
    expect(judged(changed, ["body.price", "GET / body.tax"])).toMatchObject({
      kind: "ok",
      paths: [{ state: "accepted" }, { state: "accepted" }],
    })
    expect(judged(changed, ["body.price"])).toMatchObject({ kind: "worse" })
  })

  it("learn nothing from the warm-up, and a retry begins without a proof", () => {
    const shape = path({ structural: true, raw: 30, confirmed: 30 })
    const warming = observeWarmUp(startJudge([metric()]), interval(0, 200, [shape]))
    expect(verdicts(observe(warming, interval(1, 200, [])))).toMatchObject([{ kind: "ok" }])
    const again = tryAgain(observe(startJudge([metric()]), interval(0, 200, [shape])))
    expect(verdicts(again)).toMatchObject([{ kind: "nodata" }])
    const one = observe(again, interval(1, 1, [path({ structural: true, raw: 1, confirmed: 1 })]))
    expect(verdicts(one)).toMatchObject([{ kind: "worse", critical: true }])
  })
})

describe("the paired test", () => {
  it("is a fair game: over all outcomes of equal turns its e-values average 1", () => {
    const n = 12
    let mean = 0
    let ways = 1
    for (let raw = 0; raw <= n; raw++) {
      mean += (ways / 2 ** n) * Math.exp(pairedLogE(raw, n - raw))
      ways = (ways * (n - raw)) / (raw + 1)
    }
    expect(mean).toBeCloseTo(1, 9)
  })

  it("never spends more than one promise on however many paths", () => {
    const spent = Array.from({ length: 1_000 }, (_, i) => shareOfPath(i)).reduce((a, b) => a + b, 0)
    expect(spent).toBeLessThanOrEqual(1)
    expect(spent).toBeGreaterThan(0.9)
  })
})
