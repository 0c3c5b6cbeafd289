import type { MetricPolicy } from "../core/model/policy.ts"

/** What `metrics: http` means: our own router's counters and the agents' eyes; no monitoring system needed. */
export const httpMetrics: readonly MetricPolicy[] = [
  {
    name: "error_rate",
    source: { type: "router" },
    kind: "error-proportion",
    worse: "up",
    critical: true,
    tolerateRatio: 0.2,
    tolerateDelta: 0.005,
  },
  ...[0.5, 0.95, 0.99].map(
    (quantile): MetricPolicy => ({
      name: `latency_p${Math.round(quantile * 100)}`,
      source: { type: "router" },
      kind: "latency-quantile",
      worse: "up",
      critical: quantile === 0.95,
      tolerateRatio: 0.25,
      tolerateDelta: 20,
      quantile,
    }),
  ),
  {
    name: "crashes",
    source: { type: "agent" },
    kind: "events",
    worse: "up",
    critical: true,
    tolerateRatio: 0.2,
    tolerateDelta: 0,
  },
]
