import { expect, it } from "vitest"
import { factorOf } from "./unit.ts"

it("makes milliseconds of latencies, by what the metric says, by its name, or of seconds", () => {
  expect(factorOf("latency-quantile", "took_seconds", undefined)).toBe(1_000)
  expect(factorOf("latency-quantile", "took_ms", undefined)).toBe(1)
  expect(factorOf("latency-quantile", "took_milliseconds_bucket", undefined)).toBe(1)
  expect(factorOf("latency-quantile", "took", undefined)).toBe(1_000)
  expect(factorOf("latency-quantile", "took_seconds", "ms")).toBe(1)
})

it("makes MB of bytes, and leaves other numbers alone", () => {
  expect(factorOf("gauge", "process_resident_memory_bytes", undefined) * 1024 ** 2).toBe(1)
  expect(factorOf("gauge", "max(rss)", "bytes") * 1024 ** 2).toBe(1)
  expect(factorOf("gauge", "queue", undefined)).toBe(1)
  expect(factorOf("events", "sent_bytes", undefined)).toBe(1)
})
