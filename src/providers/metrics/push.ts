import { bucketOf } from "../../core/judge/histogram.ts"
import { toldApart } from "../../core/judge/instance-share.ts"
import type { Histogram, Observation } from "../../core/model/measurement.ts"
import type { Instant } from "../../core/model/time.ts"
import type { Inbox, Pushed, Told } from "../../ports/inbox.ts"
import type { MetricQuestion, MetricsSource } from "../../ports/metrics.ts"

export type PushLimits = {
  /** Numbers of one application that wait for the judge. */
  readonly most: number
  /** Nobody asks for what is older than this, in milliseconds. */
  readonly keepMs: number
  /** Clocks of instances may be ahead of ours by so much, in milliseconds. */
  readonly aheadMs: number
}

const defaults: PushLimits = { most: 100_000, keepMs: 10 * 60_000, aheadMs: 30_000 }

/**
 * What instances push over the API, kept until the judge looks. Each cohort hears each measurement once, however
 * late its look is. Events are counted over the time since the instance's push before, so its first one only
 * starts the clock.
 */
export function pushMetrics(changed: Partial<PushLimits> = {}): {
  readonly source: MetricsSource
  readonly inbox: Inbox
} {
  const limits = { ...defaults, ...changed }
  const boxes = new Map<string, Box>()
  return {
    inbox: {
      accept(app, pushed, now) {
        const box = boxes.get(app) ?? new Box(limits)
        boxes.set(app, box)
        return box.accept(pushed, now)
      },
    },
    source: {
      async observe(question) {
        const { metric, app } = question
        if (metric.source.type !== "push")
          throw new Error(`metric ${metric.name} comes from ${metric.source.type}, nobody pushes it`)
        return observationOf(boxes.get(app)?.hear(question) ?? [])
      },
    },
  }
}

type Entry = {
  readonly number: number
  readonly arrived: Instant
  readonly at: Instant
  readonly instance: string
  readonly metric: string
  readonly told: Told
  /** Seconds since the push before; undefined for the first one. */
  readonly seconds: number | undefined
  readonly size: number
}

/** One application's. */
class Box {
  readonly #limits: PushLimits
  #entries: Entry[] = []
  #size = 0
  #number = 0
  readonly #lastAt = new Map<string, Instant>()
  readonly #heard = new Map<string, number>()

  constructor(limits: PushLimits) {
    this.#limits = limits
  }

  accept(pushed: readonly Pushed[], now: Instant): { readonly kept: number } | "full" {
    this.#forget(now)
    const size = pushed.reduce((sum, { told }) => sum + sizeOf(told), 0)
    if (this.#size + size > this.#limits.most) return "full"
    let kept = 0
    for (const one of pushed) {
      const key = JSON.stringify([one.metric, one.instance])
      const before = this.#lastAt.get(key)
      const at = one.at ?? now
      // A clock that is far ahead must not make everything after it look late.
      if (at > now + this.#limits.aheadMs || at < now - this.#limits.keepMs) continue
      if (one.at !== undefined && before !== undefined && one.at <= before) continue
      this.#lastAt.delete(key)
      this.#lastAt.set(key, Math.max(at, before ?? at))
      const seconds = before === undefined ? undefined : Math.max(0, at - before) / 1_000
      const { instance, metric, told } = one
      const entry = {
        number: ++this.#number,
        arrived: now,
        at,
        instance,
        metric,
        told,
        seconds,
        size: sizeOf(told),
      }
      this.#entries.push(entry)
      this.#size += entry.size
      kept++
    }
    return { kept }
  }

  /** What one cohort has not heard yet. What was measured long before the interval, or after it, is not of it. */
  hear({ metric, cohort, from, to }: MetricQuestion): readonly Entry[] {
    const key = JSON.stringify([metric.name, cohort.route, cohort.pool, cohort.mirrored])
    const heard = this.#heard.get(key)
    const found = this.#entries.filter(
      (entry) =>
        entry.metric === metric.name &&
        cohort.instances.includes(entry.instance) &&
        (heard === undefined ? entry.arrived > from : entry.number > heard) &&
        entry.at >= to - 2 * (to - from) &&
        entry.at <= to + (to - from),
    )
    this.#heard.delete(key)
    this.#heard.set(key, this.#number)
    if (this.#heard.size > 10_000) this.#heard.delete(this.#heard.keys().next().value ?? "")
    return found
  }

  #forget(now: Instant): void {
    const oldest = now - this.#limits.keepMs
    this.#entries = this.#entries.filter(({ arrived }) => arrived >= oldest)
    this.#size = this.#entries.reduce((sum, { size }) => sum + size, 0)
    for (const [key, at] of this.#lastAt) if (at < oldest) this.#lastAt.delete(key)
  }
}

const sizeOf = (told: Told): number => (told.kind === "latencies" ? told.latencies.length : 1)

/** What they pushed together, and what each of them did. */
function observationOf(entries: readonly Entry[]): Observation | undefined {
  const all = sumOf(entries)
  if (!all) return undefined
  const each = Map.groupBy(entries, ({ instance }) => instance)
  return toldApart(
    all,
    [...each].map(([id, own]) => ({ id, seen: sumOf(own) })),
  )
}

function sumOf(entries: readonly Entry[]): Observation | undefined {
  const [first] = entries
  if (!first) return undefined
  const told = entries.map((entry) => entry.told)
  switch (first.told.kind) {
    case "gauge":
      return { kind: "gauge", values: told.flatMap((one) => (one.kind === "gauge" ? [one.value] : [])) }
    case "proportion":
      return {
        kind: "proportion",
        total: told.reduce((sum, one) => sum + (one.kind === "proportion" ? one.total : 0), 0),
        bad: told.reduce((sum, one) => sum + (one.kind === "proportion" ? one.bad : 0), 0),
      }
    case "latencies":
      return {
        kind: "histogram",
        buckets: bucketed(told.flatMap((one) => (one.kind === "latencies" ? one.latencies : []))),
      }
    case "events":
      return eventsOf(entries)
  }
}

function eventsOf(entries: readonly Entry[]): Observation | undefined {
  const timed = entries.filter(({ seconds }) => seconds !== undefined && seconds > 0)
  if (timed.length === 0) return undefined
  return {
    kind: "events",
    events: timed.reduce((sum, { told }) => sum + (told.kind === "events" ? told.events : 0), 0),
    exposure: timed.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0),
  }
}

function bucketed(latencies: readonly number[]): Histogram {
  const buckets = new Map<number, number>()
  for (const ms of latencies) {
    const bucket = bucketOf(ms)
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1)
  }
  return [...buckets].sort(([a], [b]) => a - b)
}
