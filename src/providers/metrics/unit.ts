/** What a number of a metric is multiplied by to be in the judge's unit: milliseconds for latency, MB for bytes. */
export function factorOf(
  kind: "error-proportion" | "latency-quantile" | "events" | "gauge" | "answers",
  name: string,
  unit: "ms" | "s" | "bytes" | undefined,
): number {
  switch (kind) {
    case "latency-quantile":
      // Without a word of it, seconds, as OpenMetrics wants.
      return unit === "ms" || (unit === undefined && /_(ms|msec|millis|milliseconds)(_bucket)?$/.test(name))
        ? 1
        : 1_000
    case "gauge":
      return unit === "bytes" || (unit === undefined && name.endsWith("_bytes")) ? 1 / 1024 ** 2 : 1
    default:
      return 1
  }
}
