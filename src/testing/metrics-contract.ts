import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { InstanceId } from "../core/model/ids.ts"
import type { Observation } from "../core/model/measurement.ts"
import type { MetricPolicy, MetricSourcePolicy } from "../core/model/policy.ts"
import type { Instant } from "../core/model/time.ts"
import type { MetricsSource } from "../ports/metrics.ts"

/** What an instance has counted, and its level. */
export type Counted = {
  readonly requests: number
  readonly bad: number
  readonly signups: number
  /** All of them took `latencyMs`. */
  readonly answered: number
  readonly queue: number
}

/** Every request of the suite takes so long; buckets must put it between these bounds. */
export const latencyMs = 40
export const latencyBounds = [25, 50] as const

/** What an instance shows at one moment: all since its process began, and what was new since the moment before. */
export type Shown = { readonly total: Counted; readonly since: Counted }

/** What goes wrong outside, by its row in docs/guides/metrics.md. */
export const troubles = [
  "timeout",
  "500",
  "HTML",
  "NaN",
  "empty",
  "40 MB",
  "stale",
  "future",
  "wrong labels",
] as const
export type Trouble = (typeof troubles)[number]

export type MetricsSourceUnderTest = {
  readonly source: MetricsSource
  /** How each kind that it can measure is asked for. Every question must be over within a few seconds. */
  readonly metrics: Readonly<Partial<Record<MetricPolicy["kind"], MetricSourcePolicy>>>
  readonly addresses: Readonly<Record<InstanceId, string>>
  /** The world outside shows this, until it shows something else; `trouble` is in its way. */
  readonly show: (
    at: Instant,
    instances: Readonly<Record<InstanceId, Shown>>,
    trouble: Trouble | undefined,
  ) => void
  /** What users were told that it does in each trouble: say why, or have no data. */
  readonly promised: Readonly<Record<Trouble, "told" | "no data">>
  readonly close: () => Promise<void>
}

const start = 1_700_000_000_000
const interval = 5_000
const nothing: Counted = { requests: 0, bad: 0, signups: 0, answered: 0, queue: 0 }
const plus = (a: Counted, b: Counted): Counted => ({
  requests: a.requests + b.requests,
  bad: a.bad + b.bad,
  signups: a.signups + b.signups,
  answered: a.answered + b.answered,
  queue: b.queue,
})
const busy = (n: number): Counted => ({
  requests: 10 * n,
  bad: n,
  signups: 3 * n,
  answered: 10 * n,
  queue: n,
})

/** What every source of metrics promises: data, or no data, or a sentence; never a zero that nobody measured. */
export function metricsSourceContract(name: string, open: () => Promise<MetricsSourceUnderTest>): void {
  describe(`${name} keeps the promises of a metrics source`, () => {
    let under: MetricsSourceUnderTest
    let at = start
    let totals: Record<InstanceId, Counted> = {}
    beforeEach(async () => {
      under = await open()
      at = start
      totals = {}
    })
    afterEach(() => under.close())

    const kinds = () => Object.keys(under.metrics) as MetricPolicy["kind"][]

    /** Five seconds pass in which this happens. A process that is new has forgotten what it counted. */
    const pass = (
      happened: Readonly<Record<InstanceId, Counted>>,
      more: { readonly trouble?: Trouble; readonly restarted?: boolean } = {},
    ): void => {
      at += interval
      const shown = Object.entries(happened).map(([id, since]): [InstanceId, Shown] => {
        const total = plus(more.restarted ? nothing : (totals[id] ?? nothing), since)
        totals[id] = total
        return [id, { total, since }]
      })
      under.show(at, Object.fromEntries(shown), more.trouble)
    }

    const ask = (kind: MetricPolicy["kind"], instances: readonly InstanceId[], signal = never) => {
      const source = under.metrics[kind]
      if (!source) throw new Error(`${name} does not measure ${kind}`)
      return under.source.observe(
        {
          app: "papi",
          metric: {
            name: `its_${kind.replaceAll("-", "_")}`,
            source,
            kind,
            worse: "up",
            critical: false,
            tolerateRatio: 0.2,
            tolerateDelta: 0,
          },
          cohort: { route: "papi/prod", pool: poolOf(instances), mirrored: false, instances },
          addresses: under.addresses,
          from: at - interval,
          to: at,
        },
        signal,
      )
    }
    const askAll = async (instances: readonly InstanceId[]) =>
      Promise.all(kinds().map(async (kind) => [kind, await ask(kind, instances)] as const))

    /** Undefined or a sentence, of which nobody can make evidence. */
    const expectBlind = async (
      asked: Promise<Observation | undefined>,
      what: string,
    ): Promise<"told" | "no data"> => {
      let outcome: "told" | "no data" = "no data"
      const seen = await asked.catch((error: unknown) => {
        outcome = "told"
        const said = error instanceof Error ? error.message : ""
        expect(said, `${what}: a sentence`).toMatch(/^\S[^\n]{10,500}$/)
        return undefined
      })
      expect(seen, what).toBeUndefined()
      return outcome
    }

    const expectSeen = (
      seen: readonly (readonly [MetricPolicy["kind"], Observation | undefined])[],
      happened: readonly Counted[],
      seconds = interval / 1_000,
    ): void => {
      const all = happened.reduce(plus, nothing)
      for (const [kind, found] of seen) {
        switch (kind) {
          case "gauge":
            expect(found).toMatchObject({ kind, values: expect.any(Array) })
            expect(found?.kind === "gauge" && found.values.toSorted((a, b) => a - b)).toEqual(
              happened.map(({ queue }) => queue).sort((a, b) => a - b),
            )
            break
          case "error-proportion":
            expect(found).toMatchObject({ kind: "proportion", total: all.requests, bad: all.bad })
            break
          case "events":
            expect(found).toEqual({
              kind: "events",
              events: all.signups,
              exposure: happened.length * seconds,
            })
            break
          case "latency-quantile": {
            if (found?.kind !== "histogram") throw new Error(`${JSON.stringify(found)} is no histogram`)
            expect(found.buckets.reduce((sum, [, count]) => sum + count, 0)).toBe(all.answered)
            for (const [bucket] of found.buckets) {
              expect(2 ** (bucket / 32)).toBeGreaterThanOrEqual(latencyBounds[0] * 0.97)
              expect(2 ** ((bucket + 1) / 32)).toBeLessThanOrEqual(latencyBounds[1] * 1.03)
            }
          }
        }
      }
    }

    it("measures something at all", () => {
      expect(kinds().length).toBeGreaterThan(0)
    })

    it("tells each cohort what happened to it since it was last asked, and nothing of the other", async () => {
      for (const n of [1, 2, 3]) {
        pass({ "papi-r7-1": busy(n), "papi-r7-2": busy(n + 1), "papi-r70-1": busy(100) })
        const canary = await askAll(["papi-r7-1", "papi-r7-2"]).catch(() => undefined)
        const control = await askAll(["papi-r70-1"]).catch(() => undefined)
        if (n === 1) continue
        expectSeen(canary ?? [], [busy(n), busy(n + 1)])
        expectSeen(control ?? [], [busy(100)])
      }
    })

    it("tells the instances of a cohort apart, one alone too, but for events", async () => {
      const happened = { "papi-r7-1": busy(2), "papi-r7-2": busy(5) }
      pass(happened)
      await askAll(["papi-r7-1", "papi-r7-2"]).catch(() => undefined)
      pass(happened)
      for (const kind of kinds()) {
        const seen = await ask(kind, ["papi-r7-1", "papi-r7-2"])
        const shares = seen && "instances" in seen ? seen.instances : undefined
        if (kind === "events") {
          expect(shares).toBeUndefined()
          continue
        }
        expect(shares?.map(({ id }) => id).sort(), kind).toEqual(["papi-r7-1", "papi-r7-2"])
        const of = (id: InstanceId) => shares?.find((share) => share.id === id)
        expect(of("papi-r7-2")?.n, kind).toBe(
          kind === "gauge" ? 1 : kind === "error-proportion" ? busy(5).requests : busy(5).answered,
        )
        if (kind === "gauge") expect(of("papi-r7-1")?.sum).toBeCloseTo(Math.log(busy(2).queue))
        if (kind === "error-proportion") expect(of("papi-r7-1")?.sum).toBe(busy(2).bad)
      }
      pass(happened)
      for (const kind of kinds())
        if (kind !== "events")
          expect(await ask(kind, ["papi-r7-1"]), kind).toMatchObject({ instances: [{ id: "papi-r7-1" }] })
    })

    it("sees the first bad request of all, where a series is born with it", async () => {
      const fine = { ...busy(4), bad: 0 }
      for (const happened of [fine, fine, busy(4)]) {
        pass({ "papi-r7-1": happened })
        await askAll(["papi-r7-1"]).catch(() => undefined)
      }
      pass({ "papi-r7-1": fine })
      pass({ "papi-r7-1": { ...fine, bad: 1 } })
      if (under.metrics["error-proportion"])
        expect(await ask("error-proportion", ["papi-r7-1"])).toMatchObject({ kind: "proportion", bad: 1 })
    })

    it("takes counters that began anew for a new process, never for less than nothing", async () => {
      pass({ "papi-r7-1": busy(50) })
      await askAll(["papi-r7-1"]).catch(() => undefined)
      pass({ "papi-r7-1": busy(50) })
      await askAll(["papi-r7-1"])
      pass({ "papi-r7-1": busy(2) }, { restarted: true })
      expectSeen(await askAll(["papi-r7-1"]), [busy(2)])
      pass({ "papi-r7-1": busy(3) })
      expectSeen(await askAll(["papi-r7-1"]), [busy(3)])
    })

    it("sees a cohort that is quiet as quiet: a zero that was measured", async () => {
      pass({ "papi-r7-1": busy(1) })
      await askAll(["papi-r7-1"]).catch(() => undefined)
      pass({ "papi-r7-1": { ...nothing, queue: 1 } })
      const seen = await askAll(["papi-r7-1"])
      for (const [kind, found] of seen) if (kind === "events") expect(found).toMatchObject({ events: 0 })
    })

    it("has nothing to tell of nobody, and of an instance that nobody knows", async () => {
      pass({ "papi-r7-1": busy(1) })
      pass({ "papi-r7-1": busy(1) })
      for (const kind of kinds()) {
        await expectBlind(ask(kind, []), `${kind} of nobody`)
        await expectBlind(ask(kind, ["papi-r9-1"]), `${kind} of a stranger`)
      }
    })

    it("tells of those that it can see when one of them is gone", async () => {
      const both = ["papi-r7-1", "papi-r7-2"]
      pass({ "papi-r7-1": busy(1), "papi-r7-2": busy(2) })
      await askAll(both).catch(() => undefined)
      pass({ "papi-r7-1": busy(3) })
      for (const kind of ["gauge", "error-proportion"] as const)
        if (under.metrics[kind]) expectSeen([[kind, await ask(kind, both)]], [busy(3)])
    })

    for (const trouble of troubles) {
      it(`is blind, and never sees a zero, in this trouble: ${trouble}; and sees again after it`, async () => {
        const seen: Readonly<Record<InstanceId, Counted>> = { "papi-r7-1": busy(5) }
        pass(seen)
        await askAll(["papi-r7-1"]).catch(() => undefined)
        pass(seen)
        expectSeen(await askAll(["papi-r7-1"]), [busy(5)])
        pass(seen, { trouble })
        const outcomes = await Promise.all(
          kinds().map((kind) => expectBlind(ask(kind, ["papi-r7-1"]), `${kind} with ${trouble}`)),
        )
        expect(new Set(outcomes), "as promised").toEqual(new Set([under.promised[trouble]]))
        pass(seen)
        await askAll(["papi-r7-1"]).catch(() => undefined)
        pass(seen)
        expectSeen(await askAll(["papi-r7-1"]), [busy(5)])
      })
    }

    it("lets go when nobody waits any more", async () => {
      pass({ "papi-r7-1": busy(1) }, { trouble: "timeout" })
      for (const kind of kinds())
        await expectBlind(ask(kind, ["papi-r7-1"], AbortSignal.abort()), `${kind} when asked to stop`)
    })
  })
}

const never = new AbortController().signal
const poolOf = ([first = "papi-r0-1"]: readonly InstanceId[]): string => first.split("-")[1] ?? "r0"
