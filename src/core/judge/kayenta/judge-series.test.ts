import { describe, expect, it } from "vitest"
import { noEffectAsked } from "./classify.ts"
import { judgeSeries, type KayentaMetric } from "./judge-series.ts"

const metric = (name: string, changed: Partial<KayentaMetric> = {}): KayentaMetric => ({
  name,
  groups: ["all"],
  direction: "either",
  nanStrategy: "remove",
  critical: false,
  mustHaveData: false,
  effect: noEffectAsked("meanRatio"),
  ...changed,
})
const calm = Array.from({ length: 30 }, (_, i) => 10 + Math.sin(i))
const raised = calm.map((value) => value + 10)
const judge = (metrics: readonly KayentaMetric[], canary: Readonly<Record<string, readonly number[]>>) =>
  judgeSeries(metrics, (name) => ({ canary: canary[name] ?? [], control: calm }))

describe("Kayenta's judgement over a window", () => {
  it("passes equal sides and fails a raised one, by direction", () => {
    const metrics = [metric("a"), metric("b"), metric("c", { direction: "decrease" })]
    const found = judge(metrics, { a: calm, b: raised, c: raised })
    expect(found.metrics.map(({ label }) => label)).toEqual(["Pass", "High", "Pass"])
    expect(found.score.total).toBeCloseTo(66.67, 1)
  })

  it("scores 0 when a critical metric fails, and leaves muted ones out", () => {
    const bad = { a: calm, b: raised }
    expect(judge([metric("a"), metric("b", { critical: true })], bad).score.total).toBe(0)
    expect(judge([metric("a"), metric("b", { muted: true })], bad).score.total).toBe(100)
  })

  it("scores 0 when half of the metrics have no data, and counts what must have data as failed", () => {
    expect(judge([metric("a"), metric("b")], { a: calm }).score).toMatchObject({
      total: 0,
      zeroBecause: "too little data",
    })
    const must = judge([metric("a"), metric("b", { mustHaveData: true })], { a: calm })
    expect(must.metrics[1]?.label).toBe("NodataFailMetric")
    expect(must.score.total).toBe(50)
  })

  it("fills missing points up and takes them for zeros only where it is told to", () => {
    const control = new Array<number>(30).fill(0)
    const canary = { a: new Array<number>(28).fill(5) }
    const found = judgeSeries([metric("a", { nanStrategy: "replace" })], () => ({
      canary: canary.a,
      control,
    }))
    expect(found.metrics[0]).toMatchObject({ label: "High", canary: { count: 30, min: 0, max: 5 } })
  })

  it("drops outliers when told to, and with them what they would have told", () => {
    // A series with many points and one wild one: its fences are the quartiles', not the wild point's.
    const wild = [...calm, 1e6]
    const kept = judge([metric("a")], { a: wild }).metrics[0]
    const dropped = judge([metric("a", { outlierFactor: 3 })], {
      a: [...calm, ...calm, ...calm, ...calm, 1e6],
    })
    expect(kept?.canary.max).toBe(1e6)
    expect(dropped.metrics[0]?.canary.max).toBeLessThan(12)
  })

  it("gives the same verdict for two constants every time", () => {
    const once = () =>
      judgeSeries([metric("a")], () => ({ canary: [2, 2, 2, 2, 2, 2], control: [1, 1, 1, 1, 1, 1] }))
        .metrics[0]
    expect(once()?.label).toBe("High")
    expect(once()).toEqual(once())
  })
})
