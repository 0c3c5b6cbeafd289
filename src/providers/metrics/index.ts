import type { MetricsSource } from "../../ports/metrics.ts"
import { answersMetrics } from "./answers.ts"
import { jsonMetrics } from "./json.ts"
import { prometheusMetrics } from "./prometheus.ts"
import { scrapeMetrics } from "./scrape.ts"

export { pushMetrics } from "./push.ts"

/** Every monitoring system by the `type` that a metric's source names: one file, one line. */
export const metricsSources = (push: MetricsSource): Readonly<Record<string, MetricsSource>> => ({
  answers: answersMetrics(),
  prometheus: prometheusMetrics(),
  scrape: scrapeMetrics(),
  json: jsonMetrics(),
  push,
})
