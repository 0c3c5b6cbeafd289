import { describe, expect, it } from "vitest"
import type { Measurement, Observation } from "../../model/measurement.ts"
import type { KayentaPolicy, MetricPolicy } from "../../model/policy.ts"
import { startJudge } from "../judge.ts"
import {
  calibrateKayenta,
  type KayentaState,
  kayentaVerdicts,
  observeKayenta,
  startKayenta,
  tryKayentaAgain,
} from "./judge.ts"

const metric = (
  name: string,
  kind: MetricPolicy["kind"],
  more: Partial<MetricPolicy> = {},
): MetricPolicy => ({
  name,
  kind,
  source: { type: "router" },
  worse: "up",
  critical: false,
  tolerateRatio: 0.2,
  tolerateDelta: 0,
  ...more,
})
const errors = metric("error_rate", "error-proportion")
const queue = metric("queue", "gauge")
const policy = (more: Partial<KayentaPolicy> = {}): KayentaPolicy => ({
  type: "kayenta",
  pass: 95,
  marginal: 75,
  groups: {},
  metrics: {},
  ...more,
})
const start = (more: Partial<KayentaPolicy> = {}, metrics = [errors, queue]): KayentaState =>
  startKayenta(startJudge(metrics), policy(more))

/** So many seconds in which 100 requests a side come in and the queues are this long; noise without chance. */
function seconds(
  state: KayentaState,
  from: number,
  to: number,
  bad: number,
  level: number,
  hear = observeKayenta,
): KayentaState {
  let now = state
  for (let i = from; i < to; i++) {
    const noise = (i * 7919) % 13
    const interval = { from: i * 1_000, to: (i + 1) * 1_000 }
    const requests = (worse: number): Observation => ({
      kind: "proportion",
      total: 100,
      bad: (noise % 3) + worse,
    })
    const level1 = (by: number): Observation => ({ kind: "gauge", values: [(10 + noise / 10) * by] })
    const measured: readonly Measurement[] = [
      { metric: "error_rate", ...interval, canary: requests(bad), control: requests(0) },
      { metric: "queue", ...interval, canary: level1(level), control: level1(1) },
    ]
    for (const one of measured) now = hear(now, one)
  }
  return now
}
const kinds = (state: KayentaState) => kayentaVerdicts(state).map(({ kind }) => kind)

describe("Kayenta's judge in the place of ours", () => {
  it("waits for fifty points of five seconds, then says one word for each metric", () => {
    const early = seconds(start(), 0, 249, 0, 1)
    expect(kinds(early)).toEqual(["unsure", "unsure"])
    expect(kayentaVerdicts(early)[0]?.because).toBe("49 of 50 points that Kayenta's judge waits for")
    const due = seconds(early, 249, 250, 0, 1)
    expect(kinds(due)).toEqual(["ok", "ok"])
    expect(kayentaVerdicts(due)[1]?.because).toMatch(
      /^Kayenta says Pass: 10\.\d on average over 50 points, control 10\.\d; score 100, pass: 95 passes, below 75 fails$/,
    )
  })

  it("fails what is worse when the score falls below marginal, and then as critical", () => {
    const found = kayentaVerdicts(seconds(start(), 0, 250, 8, 1))
    expect(found.map(({ kind, critical }) => [kind, critical])).toEqual([
      ["worse", true],
      ["ok", false],
    ])
    expect(found[0]?.because).toMatch(/Kayenta says High: .* score 50, fail/)
  })

  it("is unsure between the two limits, and passes a failing metric that weighs little", () => {
    expect(kinds(seconds(start({ marginal: 40 }), 0, 250, 8, 1))).toEqual(["unsure", "ok"])
    expect(kinds(seconds(start({ pass: 50, marginal: 40 }), 0, 250, 8, 1))).toEqual(["ok", "ok"])
  })

  it("scores 0 for a critical metric", () => {
    const metrics = [{ ...errors, critical: true }, queue]
    const found = kayentaVerdicts(seconds(start({ pass: 50, marginal: 40 }, metrics), 0, 250, 8, 1))
    expect(found[0]).toMatchObject({ kind: "worse" })
    expect(found[0]?.because).toMatch(/score 0 for a critical metric/)
  })

  it("takes our tolerance for its own until it is given one", () => {
    expect(kinds(seconds(start(), 0, 250, 0, 1.15))).toEqual(["ok", "ok"])
    const strict = { metrics: { queue: { allowedIncrease: 1.05 } } }
    expect(kinds(seconds(start(strict), 0, 250, 0, 1.15))).toEqual(["ok", "worse"])
    expect(kinds(seconds(start({ metrics: { queue: { muted: true } } }), 0, 250, 0, 3))).toEqual(["ok", "ok"])
  })

  it("judges again after another fifty points, over everything since the start", () => {
    const fine = seconds(start(), 0, 250, 0, 1)
    // Its good half outweighs a late regression: fifty bad points after fifty good ones are not enough for Kayenta.
    const later = seconds(fine, 250, 749, 30, 1)
    expect(kinds(later)).toEqual(["ok", "ok"])
    expect(kinds(seconds(later, 749, 750, 30, 1))).toEqual(["worse", "ok"])
  })

  it("calls a metric that cannot be seen so, as our judge does, never worse", () => {
    let state = seconds(start(), 0, 250, 0, 1)
    for (let i = 250; i < 254; i++)
      state = observeKayenta(state, {
        metric: "queue",
        from: i * 1_000,
        to: (i + 1) * 1_000,
        blind: "it answered 500",
      })
    expect(kinds(state)).toEqual(["ok", "nodata"])
  })

  it("learns nothing from the warm-up and remembers nothing of an earlier attempt", () => {
    const warm = seconds(start(), 0, 300, 8, 1, calibrateKayenta)
    expect(kinds(seconds(warm, 300, 550, 0, 1))).toEqual(["ok", "ok"])
    const failed = seconds(start(), 0, 250, 8, 1)
    expect(kinds(seconds(tryKayentaAgain(failed), 250, 499, 0, 1))).toEqual(["unsure", "unsure"])
  })

  it("is plain data: stored and read back, it goes on where it was", () => {
    const half = seconds(start(), 0, 123, 2, 1.3)
    const back: KayentaState = JSON.parse(JSON.stringify(half))
    const end = kayentaVerdicts(seconds(half, 123, 250, 2, 1.3))
    expect(kayentaVerdicts(seconds(back, 123, 250, 2, 1.3))).toEqual(end)
  })
})
