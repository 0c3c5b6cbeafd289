import type { Observation } from "../../core/model/measurement.ts"
import { readSelector, type Selector, selects } from "../../core/model/selector.ts"
import type { MetricQuestion, MetricsSource } from "../../ports/metrics.ts"
import { type AskLimits, ask, usualLimits } from "./ask.ts"
import { grownBy, Readings } from "./counters.ts"
import { readExposition, type Sample } from "./exposition.ts"
import { histogramOf } from "./le-histogram.ts"
import { together } from "./together.ts"
import { factorOf } from "./unit.ts"

const accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"

/**
 * Reads the metrics page of every instance of a cohort, once a look for all metrics. `query` selects series in
 * PromQL's words, without functions: of a counter for `events`, of all requests for `error-proportion` (and
 * `bad` of the bad ones), of a histogram with `le` buckets for `latency-quantile`. Counters speak from the
 * second look on; one that lost more than one look begins anew.
 */
export function scrapeMetrics(changed: Partial<AskLimits> = {}): MetricsSource {
  const limits = { ...usualLimits, ...changed }
  const readings = new Readings()
  const pages = new Pages(limits)
  return {
    async observe(question, signal) {
      const { metric, cohort, addresses, app } = question
      const { source } = metric
      if (source.type !== "scrape")
        throw new Error(`metric ${metric.name} comes from ${source.type}, not from the instances' pages`)
      const wanted = wantedOf(metric.kind, source)
      return together(cohort.instances, async (instance) => {
        const address = addresses[instance]
        if (address === undefined) return undefined
        try {
          const page = await pages.read(`http://${address}${source.path}`, question.to, signal)
          const samples = inTime(readExposition(page.text, wanted.reads, page.openMetrics), question)
          const key = JSON.stringify([app, instance, metric.name, source])
          return shownBy(wanted, samples, key, question, readings)
        } catch (error) {
          const why = error instanceof Error ? error.message : String(error)
          throw new Error(`${source.path} of ${instance} gave no ${metric.name}: ${why}`)
        }
      })
    },
  }
}

type Wanted = {
  readonly kind: MetricQuestion["metric"]["kind"]
  readonly all: Selector
  readonly bad: Selector | undefined
  readonly factor: number
  readonly reads: (name: string) => boolean
}

function wantedOf(
  kind: MetricQuestion["metric"]["kind"],
  source: {
    readonly query: string
    readonly bad?: string | undefined
    readonly unit?: "ms" | "s" | "bytes" | undefined
  },
): Wanted {
  const asked = readSelector(source.query)
  const buckets = kind === "latency-quantile" && !asked.name.endsWith("_bucket")
  const all = buckets ? { ...asked, name: `${asked.name}_bucket` } : asked
  const bad = source.bad === undefined ? undefined : readSelector(source.bad)
  return {
    kind,
    all,
    bad,
    factor: factorOf(kind, asked.name, source.unit),
    reads: (name) => name === all.name || name === bad?.name,
  }
}

/** What was measured long ago, or is yet to come, is not of this interval. Most pages say no time at all. */
function inTime(samples: readonly Sample[], { from, to }: MetricQuestion): readonly Sample[] {
  const interval = to - from
  return samples.filter(({ at }) => at === undefined || (at >= to - 2 * interval && at <= to + interval))
}

function shownBy(
  wanted: Wanted,
  samples: readonly Sample[],
  key: string,
  question: MetricQuestion,
  readings: Readings,
): Observation | undefined {
  const all = chosen(wanted.all, samples)
  if (all.length === 0) return undefined
  const bad = wanted.bad ? chosenBad(wanted.bad, samples) : []
  if (wanted.kind === "gauge") {
    const values = all.map(({ value }) => value * wanted.factor).filter(Number.isFinite)
    return values.length > 0 ? { kind: "gauge", values } : undefined
  }
  if (![...all, ...bad].every(({ value }) => Number.isFinite(value) && value >= 0)) return undefined
  const reading = {
    at: question.to,
    series: new Map([
      ...all.map((sample) => [seriesKey("all", sample), sample.value] as const),
      ...bad.map((sample) => [seriesKey("bad", sample), sample.value] as const),
    ]),
  }
  const before = readings.exchange(key, reading, question.from - (question.to - question.from))
  if (!before) return undefined
  const grown = grownBy(before, reading)
  const sumOf = (which: string, some: readonly Sample[]) =>
    Math.round(some.reduce((sum, sample) => sum + (grown.get(seriesKey(which, sample)) ?? 0), 0))
  switch (wanted.kind) {
    case "events":
      return { kind: "events", events: sumOf("all", all), exposure: (question.to - before.at) / 1_000 }
    case "error-proportion": {
      const counts = { total: sumOf("all", all), bad: sumOf("bad", bad) }
      if (counts.bad > counts.total)
        throw new Error(`${counts.bad} bad ones of ${counts.total}: \`bad\` selects what \`query\` does not`)
      return { kind: "proportion", ...counts }
    }
    case "latency-quantile": {
      const counts = new Map<number, number>()
      for (const sample of all) {
        const le = leOf(sample)
        counts.set(le, (counts.get(le) ?? 0) + (grown.get(seriesKey("all", sample)) ?? 0))
      }
      const cumulative = [...counts].map(([le, count]) => ({ le, count }))
      return histogramOf(cumulative, wanted.factor)
    }
  }
}

/** Series that a selector picks; when it picks none of several, it is the selector that is wrong. */
function chosen(selector: Selector, samples: readonly Sample[]): readonly Sample[] {
  const family = samples.filter(({ name }) => name === selector.name)
  const found = family.filter(({ labels }) => selects(selector, labels))
  if (family.length > 0 && found.length === 0)
    throw new Error(`none of its ${family.length} series of ${selector.name} has these labels`)
  return found
}

/**
 * A code of 500 has no series before it was answered once: then nothing bad was counted. But a family that is
 * not there, or a label that no series has, is a mistake; it must not look like nothing bad.
 */
function chosenBad(selector: Selector, samples: readonly Sample[]): readonly Sample[] {
  const family = samples.filter(({ name }) => name === selector.name)
  if (family.length === 0) throw new Error(`it has no ${selector.name} at all: show it with 0 from the start`)
  const unknown = selector.matchers.find(({ label }) => !family.some(({ labels }) => label in labels))
  if (unknown) throw new Error(`no series of ${selector.name} has a label ${unknown.label}`)
  return family.filter(({ labels }) => selects(selector, labels))
}

const seriesKey = (which: string, { name, labels }: Sample): string =>
  JSON.stringify([which, name, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))])

function leOf({ labels }: Sample): number {
  const le = labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels.le)
  if (Number.isNaN(le)) throw new Error(`its bucket le=${JSON.stringify(labels.le ?? null)} is no number`)
  return le
}

type Page = { readonly text: string; readonly openMetrics: boolean }

/** Every page is read once a look, however many metrics stand on it. */
class Pages {
  readonly #limits: AskLimits
  readonly #read = new Map<string, { readonly to: number; readonly page: Promise<Page> }>()

  constructor(limits: AskLimits) {
    this.#limits = limits
  }

  read(url: string, to: number, signal: AbortSignal): Promise<Page> {
    const known = this.#read.get(url)
    if (known?.to === to) return known.page
    const page = this.#ask(url, signal)
    this.#read.set(url, { to, page })
    // Only for the metrics of one look: the text of a page is large, and instances come and go.
    const forget = () => {
      if (this.#read.get(url)?.page === page) this.#read.delete(url)
    }
    page.then(() => setTimeout(forget, this.#limits.timeoutMs).unref(), forget)
    return page
  }

  async #ask(url: string, signal: AbortSignal): Promise<Page> {
    const { status, type, text } = await ask(url, { method: "GET", accept }, this.#limits, signal)
    if (status !== 200) throw new Error(`it answered ${status}`)
    if (type !== "" && !/^(text\/plain|application\/openmetrics-text)\b/.test(type))
      throw new Error(`it answered with ${type.slice(0, 60)}, not with metrics`)
    return { text, openMetrics: type.startsWith("application/openmetrics-text") }
  }
}
