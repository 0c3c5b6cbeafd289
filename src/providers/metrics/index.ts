import type { MetricsSource } from "../../ports/metrics.ts"
import { prometheusMetrics } from "./prometheus.ts"

/** Every monitoring system by the `type` that a metric's source names: one file, one line. */
export const metricsSources = (): Readonly<Record<string, MetricsSource>> => ({
  prometheus: prometheusMetrics(),
})
