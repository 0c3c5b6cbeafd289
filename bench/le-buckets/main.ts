// How often the judge accuses a latency that it only sees in `le` buckets: the table of docs/guides/metrics.md.
import { observe, startJudge, verdicts } from "../../src/core/judge/judge.ts"
import type { Observation } from "../../src/core/model/measurement.ts"
import type { MetricPolicy } from "../../src/core/model/policy.ts"
import { histogramOf } from "../../src/providers/metrics/le-histogram.ts"

const runs = 100
const looks = 60
const requests = 200

const bounds: Readonly<Record<string, readonly number[]>> = {
  "Prometheus' usual": [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000],
  "100, 500, 1000 ms": [100, 500, 1_000],
  "one every 15 %": Array.from({ length: 60 }, (_, i) => 5 * 1.15 ** i),
}

type Latencies = { readonly median: number; readonly sigma: number; readonly lump?: number }
const usual: Latencies = { median: 100, sigma: 0.8 }
const cases: readonly (readonly [title: string, control: Latencies, slower: number])[] = [
  ["the same", usual, 1],
  ["3 % slower", usual, 1.03],
  ["10 % slower", usual, 1.1],
  ["60 % slower", usual, 1.6],
  ["2.5 times as slow", usual, 2.5],
  ["half at 247 ms, 3 % slower", { ...usual, lump: 247 }, 1.03],
  ["all between 75 and 120 ms, 10 % slower", { median: 95, sigma: 0.1 }, 1.1],
]

const policy: MetricPolicy = {
  name: "latency",
  kind: "latency-quantile",
  source: { type: "scrape", path: "/metrics", query: "took_ms" },
  worse: "up",
  critical: true,
  tolerateRatio: 0.25,
  tolerateDelta: 20,
  quantile: 0.95,
}

let seed = 12_345
const chance = (): number => {
  seed = (seed * 48_271) % 2_147_483_647
  return seed / 2_147_483_647
}
const normal = (): number => Math.sqrt(-2 * Math.log(chance())) * Math.cos(2 * Math.PI * chance())

function draw({ median, sigma, lump }: Latencies, slower: number): readonly number[] {
  return Array.from({ length: requests }, () =>
    lump !== undefined && chance() < 0.5
      ? lump * slower * (1 + 0.01 * normal())
      : median * slower * Math.exp(sigma * normal()),
  )
}

function seenIn(edges: readonly number[], latencies: readonly number[]): Observation | undefined {
  const counts = [...edges, Number.POSITIVE_INFINITY].map((le) => ({
    le,
    count: latencies.filter((ms) => ms <= le).length,
  }))
  return histogramOf(counts, 1)
}

/** The look that accuses; undefined when none does. */
function accusedAt(edges: readonly number[], control: Latencies, slower: number): number | undefined {
  let state = startJudge([policy], { minSamples: 100 })
  for (let look = 1; look <= looks; look++) {
    state = observe(state, {
      metric: policy.name,
      from: (look - 1) * 5_000,
      to: look * 5_000,
      canary: seenIn(edges, draw(control, slower)),
      control: seenIn(edges, draw(control, 1)),
    })
    if (verdicts(state)[0]?.kind === "worse") return look
  }
  return undefined
}

for (const [title, control, slower] of cases) {
  const cells = Object.entries(bounds).map(([name, edges]) => {
    const found = Array.from({ length: runs }, () => accusedAt(edges, control, slower)).filter(
      (look) => look !== undefined,
    )
    const mean = found.reduce((sum, look) => sum + look, 0) / Math.max(1, found.length)
    return `${name}: ${found.length} of ${runs}${found.length > 0 ? ` after ${mean.toFixed(0)} looks` : ""}`
  })
  console.log(`${title}\n  ${cells.join("   ")}`)
}
