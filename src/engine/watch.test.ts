import { describe, expect, it } from "vitest"
import type { MetricPolicy } from "../core/model/policy.ts"
import type { Application } from "../core/pipeline/application.ts"
import type { MeasureSpec } from "../core/pipeline/effects.ts"
import type { Fact } from "../core/pipeline/input.ts"
import type { Counters, RouterCounters } from "../ports/counters.ts"
import type { Evidence, Interval } from "../ports/evidence.ts"
import type { MetricsSource } from "../ports/metrics.ts"
import { atProd3 } from "../testing/core-stories.ts"
import { CoreWorld } from "../testing/core-world.ts"
import { defaultPace } from "./parts.ts"
import { Watch } from "./watch.ts"

const errors: MetricPolicy = {
  name: "error_rate",
  source: { type: "router" },
  kind: "error-proportion",
  worse: "up",
  critical: true,
  tolerateRatio: 0.1,
  tolerateDelta: 0.002,
}
const slow: MetricPolicy = { ...errors, name: "latency_p95", kind: "latency-quantile", quantile: 0.95 }
const levels: MetricPolicy = {
  ...errors,
  name: "queue",
  kind: "gauge",
  source: { type: "prometheus", url: "http://127.0.0.1:9090", query: "queue" },
}

const cohort = (pool: string) => ({ route: "papi/prod3", pool, mirrored: false, instances: [`${pool}-1`] })

const spec = (rollout: number, earlier: readonly number[] = []): MeasureSpec => ({
  rollout,
  earlier,
  region: "prod3",
  stage: "shifting",
  step: 0,
  canary: cohort("r2"),
  control: cohort("r1"),
  metrics: [errors, slow, levels],
  minSamples: 100,
  judgeFrom: 3_000,
})

/** A second of the world: what the router has counted up to then, and what a monitoring system would say. */
class Second {
  at = 0
  #canary: Counters = { requests: 0, bad: 0, latency: [] }
  #control: Counters = { requests: 0, bad: 0, latency: [] }
  /** Copies of a second that are not made. */
  dropping = 0
  #dropped = 0
  /** How many answers of the store are still to be lost, after it did what it was asked. */
  lost = 0
  /** What a monitoring system says. */
  outside: MetricsSource["observe"] = async ({ cohort: { pool } }) => ({
    kind: "gauge",
    values: [Math.sin(this.at) + (pool === "r2" ? 10.1 : 10), Number.NaN],
  })
  /** Of whoever holds the application now. */
  epoch = 1
  readonly #stored = new Map<number, string[]>()
  #state: Application = new CoreWorld().state

  readonly evidence: Evidence = {
    addInterval: async ({ epoch }, rollout, interval) => {
      if (epoch < this.epoch) return "fenced"
      const rows = this.#stored.get(rollout) ?? []
      const row = JSON.stringify(interval)
      if (!rows.includes(row)) this.#stored.set(rollout, [...rows, row])
      if (this.lost-- > 0) throw new Error("the store does not answer")
      return "kept"
    },
    intervals: async (_app, rollout) =>
      (this.#stored.get(rollout) ?? []).map((row): Interval => JSON.parse(row)),
    put: async (_by, bundle) => ({ hash: JSON.stringify(bundle) }),
    get: async () => undefined,
  }

  /** Weights that the router of prod3 acknowledged, in percent. */
  weigh(weights: Readonly<Record<number, number>>): void {
    const { regions } = atProd3().world.state
    this.#state = { ...this.#state, regions: regions.map((region) => ({ ...region, weights })) }
  }

  open(measure: MeasureSpec): Promise<Watch> {
    return Watch.open({ app: "papi", epoch: this.epoch }, measure, {
      evidence: this.evidence,
      metrics: {
        prometheus: { observe: (question, signal) => this.outside(question, signal) },
      },
      clock: { now: () => this.at, mono: () => this.at, sleep: async () => undefined },
      pace: defaultPace,
    })
  }

  /** Lets a second pass in which the canary and the control fail so many of their 40 requests. */
  async look(watch: Watch, measure: MeasureSpec, failed: number, beside = 0): Promise<Fact | undefined> {
    this.at += 1_000
    const grown = (past: Counters, bad: number, bucket: number): Counters => ({
      requests: past.requests + 40,
      bad: past.bad + bad,
      latency: [[bucket, past.requests + 40]],
    })
    this.#dropped += this.dropping
    this.#canary = grown(this.#canary, failed, 210)
    this.#control = grown(this.#control, beside, 200)
    const counters: RouterCounters = {
      boot: "b",
      at: this.at,
      routes: {
        "papi/prod3": {
          pools: { r2: { "r2-1": this.#canary }, r1: { "r1-1": this.#control } },
          mirror: {
            to: "papi/preview",
            sent: this.#canary.requests,
            dropped: this.#dropped,
            primary: this.#control,
            candidate: this.#canary,
          },
        },
      },
    }
    const looked = await watch.look(this.#state, measure, counters, AbortSignal.timeout(30_000))
    if (looked === "fenced") throw new Error("fenced")
    return looked
  }
}

const verdictsOf = (fact: Fact | undefined) => (fact?.type === "looked" ? fact.verdicts : [])

describe("a system outside that was only just asked", () => {
  it("holds nothing up while its first answer may still come, and does when it never comes", async () => {
    const world = new Second()
    world.outside = () => new Promise(() => undefined)
    const watch = await world.open(spec(2))
    const kinds: string[] = []
    for (let i = 0; i < 22; i++) {
      const found = verdictsOf(await world.look(watch, spec(2), 0)).find(
        ({ metric }) => metric === levels.name,
      )
      if (found) kinds.push(`${found.kind}: ${found.because}`)
    }
    expect(new Set(kinds.slice(0, 10))).toEqual(new Set(["unsure: its first answer is awaited"]))
    expect(kinds.at(-1)).toBe("nodata: nothing was measured yet")
  })

  it("holds as soon as it says that it cannot see", async () => {
    const world = new Second()
    world.outside = () => Promise.reject(new Error("it answers 503"))
    const watch = await world.open(spec(2))
    // Two questions of five seconds reach back into the warm-up; the third is about what is judged.
    for (let i = 0; i < 13; i++) await world.look(watch, spec(2), 0)
    const found = verdictsOf(await world.look(watch, spec(2), 0))
    expect(found.at(-1)).toMatchObject({ kind: "nodata", because: expect.stringContaining("it answers 503") })
  })
})

describe("a comparison in the router's counters", () => {
  it("knows instances apart, and what the router was told of the split while that stays the same", async () => {
    const world = new Second()
    const watch = await world.open(spec(2))
    for (let i = 0; i < 4; i++) await world.look(watch, spec(2), 0)
    const stored = await world.evidence.intervals("papi", 2)
    const first = stored[0]?.measurements.find(({ metric }) => metric === errors.name)
    expect(first?.control).toMatchObject({ instances: [{ id: "r1-1", n: 40, sum: 0 }] })
    expect(first?.told).toBeUndefined()
    world.weigh({ 1: 90, 2: 10 })
    for (let i = 0; i < 12; i++) await world.look(watch, spec(2), 0)
    const told = (await world.evidence.intervals("papi", 2)).map(({ measurements }) => measurements[0]?.told)
    expect(told[3]).toBeUndefined()
    expect(told[4]).toEqual({ share: 0.1, sticky: false })
    expect(watch.verdicts()[0]).toMatchObject({
      kind: "nodata",
      advisory: expect.stringMatching(/got 50 % of the requests where the router was told 10 %/),
    })
  })
})

describe("a comparison of copies", () => {
  it("knows how many of them were dropped, and does not pass without them", async () => {
    const world = new Second()
    const copied = (pool: string) => ({ ...cohort(pool), mirrored: true })
    const measure: MeasureSpec = {
      ...spec(2),
      stage: "mirroring",
      canary: copied("r2"),
      control: copied("r1"),
      metrics: [errors],
    }
    const watch = await world.open(measure)
    for (let i = 0; i < 60; i++) await world.look(watch, measure, 0)
    expect(watch.verdicts()[0]?.kind).toBe("ok")
    world.dropping = 30
    for (let i = 0; i < 60; i++) await world.look(watch, measure, 0)
    const stored = await world.evidence.intervals("papi", 2)
    expect(stored.at(-1)?.measurements[0]?.copies).toEqual({ made: 40, dropped: 30 })
    expect(watch.verdicts()[0]).toMatchObject({
      kind: "nodata",
      advisory: expect.stringMatching(/% of the copies were dropped/),
    })
    const again = await world.open(measure)
    expect(again.verdicts()).toEqual(watch.verdicts())
  })
})

describe("the control plane is killed in the middle of a comparison", () => {
  it("and comes back to bit-identical verdicts, from the stored measurements alone", async () => {
    const measure = spec(2)
    const world = new Second()
    const living = await world.open(measure)
    for (let i = 0; i < 40; i++) await world.look(living, measure, i % 4 === 0 ? 1 : 0)
    const before = JSON.stringify(living.verdicts())
    expect(before).toContain("logEvidence")
    const reborn = await world.open(measure)
    expect(JSON.stringify(reborn.verdicts())).toBe(before)
  })

  it("and a ramp to the same bound on extra failures", async () => {
    const measure = { ...spec(2), harm: true }
    const world = new Second()
    const living = await world.open(measure)
    for (let i = 0; i < 39; i++) await world.look(living, measure, 0)
    const harm = verdictsOf(await world.look(living, measure, 0)).find((one) => one.harm)?.harm
    expect(harm?.perMinute).toBeCloseTo(4_800, 6)
    expect(harm?.upTo).toBeLessThan(0.05)
    expect(JSON.stringify((await world.open(measure)).verdicts())).toBe(JSON.stringify(living.verdicts()))
  })

  it("and Kayenta's judge comes back to its own, where the policy chose it", async () => {
    const judge = { type: "kayenta", pass: 95, marginal: 75, groups: {}, metrics: {} } as const
    const measure = { ...spec(2), metrics: [errors, slow], judge }
    const world = new Second()
    const living = await world.open(measure)
    for (let i = 0; i < 260; i++) await world.look(living, measure, i % 3)
    const before = JSON.stringify(living.verdicts())
    expect(before).toContain("Kayenta says High")
    expect(JSON.stringify((await world.open(measure)).verdicts())).toBe(before)
  })
})

describe("a watch whose application is another's by now", () => {
  it("leaves no measurement behind, and says so", async () => {
    const world = new Second()
    const late = await world.open(spec(2))
    for (let i = 0; i < 5; i++) await world.look(late, spec(2), 0)
    const before = await world.evidence.intervals("papi", 2)
    world.epoch = 2
    for (let i = 0; i < 3; i++) await expect(world.look(late, spec(2), 40)).rejects.toThrow("fenced")
    expect(await world.evidence.intervals("papi", 2)).toEqual(before)
    expect(verdictsOf(await world.look(await world.open(spec(2)), spec(2), 0))).toEqual([])
  })
})

describe("a warm-up", () => {
  const looked = async (failed: number) => {
    const measure = { ...spec(2), metrics: [errors], judgeFrom: 60_000 }
    const world = new Second()
    const watch = await world.open(measure)
    const facts: (Fact | undefined)[] = []
    for (let i = 0; i < 20; i++) facts.push(await world.look(watch, measure, failed))
    return facts.flatMap(verdictsOf)
  }

  it("has nothing to say of a release that starts as cold ones do, or well", async () => {
    expect(await looked(0)).toEqual([])
    expect(await looked(1)).toEqual([])
  })

  it("accuses a release that is far worse than any cold start", async () => {
    expect((await looked(20))[0]).toMatchObject({ metric: "error_rate", kind: "worse" })
  })
})

describe("a control plane that stood still while it watched", () => {
  it("has looked twice at what passed meanwhile, and counts it as no more than that", async () => {
    const measure = { ...spec(2), judgeFrom: 0 }
    const world = new Second()
    const watch = await world.open(measure)
    const observed: number[] = []
    for (const stoodStill of [0, 0, 60_000, 0]) {
      world.at += stoodStill
      const fact = await world.look(watch, measure, 0)
      if (fact?.type === "looked") observed.push(fact.observed)
    }
    expect(observed).toEqual([1_000, 2_000, 3_000])
  })
})

describe("an answer of the store that is lost", () => {
  it("leaves judge and store with the same measurements", async () => {
    const measure = spec(2)
    const world = new Second()
    const living = await world.open(measure)
    for (let i = 0; i < 12; i++) {
      world.lost = i === 5 ? 1 : 0
      const look = world.look(living, measure, 1)
      await (i === 5 ? expect(look).rejects.toThrow("does not answer") : look)
    }
    const reborn = await world.open(measure)
    expect(JSON.stringify(reborn.verdicts())).toBe(JSON.stringify(living.verdicts()))
  })
})

describe("a retry of the same release", () => {
  const attempt = async (earlier: readonly number[]) => {
    const world = new Second()
    const first = spec(2)
    const watch = await world.open(first)
    for (let i = 0; i < 7; i++) await world.look(watch, first, 2)
    world.at += 60_000
    const second = { ...spec(3, earlier), judgeFrom: world.at }
    const again = await world.open(second)
    await world.look(again, second, 0)
    return verdictsOf(await world.look(again, second, 0))
  }

  it("goes on with the evidence of its earlier attempt instead of a new chance", async () => {
    const [fresh] = await attempt([])
    const [retried] = await attempt([2])
    expect(fresh?.logEvidence).toBeLessThan(0.5)
    expect(retried?.logEvidence).toBeGreaterThan(1)
    expect(retried?.canary?.samples).toBe(200)
  })
})

describe("what the control's instances showed while they baked", () => {
  const seen = (from: number, bad: readonly number[]): Interval => {
    const instances = bad.map((sum, i) => ({ id: `r1-${i}`, n: 200, sum, squares: 0 }))
    const canary = { kind: "proportion", total: 1_000, bad: 30, instances } as const
    const measurement = { metric: errors.name, from, to: from + 1_000, canary, control: undefined }
    const at = { from, to: from + 1_000 }
    return { stage: "baking", step: 1, ...at, judged: true, measurements: [measurement] }
  }
  const alike = Array.from({ length: 60 }, (_, i) => seen(i * 1_000, [6, 6, 6, 6, 6]))
  const unlike = (from: number) =>
    Array.from({ length: 60 }, (_, i) => seen(from + i * 1_000, [10, 30, 50, 70, 90]))

  const limitAfter = async (baked: readonly Interval[]) => {
    const world = new Second()
    for (const interval of baked) await world.evidence.addInterval({ app: "papi", epoch: 1 }, 1, interval)
    world.at = 200_000
    const watch = await world.open(spec(2))
    for (let i = 0; i < 3; i++) await world.look(watch, spec(2), 4, 4)
    return watch.verdicts()[0]?.limit
  }

  it("is heard without what another control plane added of the same time, after it had lost the watch", async () => {
    const expected = await limitAfter(alike)
    expect(await limitAfter([...alike, ...unlike(60_000)])).not.toBe(expected)
    expect(await limitAfter([...alike, ...unlike(-500)])).toBe(expected)
  })
})
