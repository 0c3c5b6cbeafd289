import { describe, expect, it } from "vitest"
import { bucketOf } from "./histogram.ts"
import { asPrometheus } from "./metrics.ts"

const stats = {
  boot: "b",
  at: 0,
  routes: {
    "papi/prod": {
      own: { full: 2 },
      fellBack: { r2: 4 },
      pools: {
        r1: {
          'a"b': {
            requests: 3,
            errors: { connect: 0, timeout: 1, reset: 0, "5xx": 0 },
            status: { "1xx": 0, "2xx": 2, "3xx": 0, "4xx": 0, "5xx": 0 },
            aborted: 0,
            replayed: 0,
            inFlight: 1,
            histogram: [
              [bucketOf(3), 1],
              [bucketOf(70), 1],
            ] as const,
          },
        },
      },
    },
  },
}

const text = asPrometheus(stats)
const labels = 'route="papi/prod",pool="r1",instance="a\\"b"'

describe("the counts in the format of Prometheus", () => {
  it("tell pools and instances apart, and errors by kind", () => {
    expect(text).toContain(`immunity_router_requests_total{${labels}} 3\n`)
    expect(text).toContain(`immunity_router_in_flight{${labels}} 1\n`)
    expect(text).toContain(`immunity_router_errors_total{${labels},error="timeout"} 1\n`)
    expect(text).toContain('immunity_router_own_answers_total{route="papi/prod",reason="full"} 2\n')
    expect(text).toContain('immunity_router_fallbacks_total{route="papi/prod",pool="r2"} 4\n')
  })

  it("count latencies up to each edge", () => {
    const upTo = (edge: string) =>
      text.split("\n").find((line) => line.startsWith(`immunity_router_latency_seconds_bucket{${labels},le="${edge}"}`))?.split(" ").at(-1) // biome-ignore format: a look-up
    expect(["0.0025", "0.005", "0.05", "0.1", "+Inf"].map(upTo)).toEqual(["0", "1", "1", "2", "2"])
    expect(text).toContain(`immunity_router_latency_seconds_count{${labels}} 2\n`)
    const sum = Number(/_sum\{[^}]*\} (\S+)/.exec(text)?.[1])
    expect(sum).toBeGreaterThan(0.07)
    expect(sum).toBeLessThan(0.076)
  })

  it("give every name its type once", () => {
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(names).toContain("immunity_router_latency_seconds")
  })

  it("name no path and no user", () => {
    const named = new Set([...text.matchAll(/([a-z]+)="/g)].map(([, name]) => name))
    expect([...named].sort()).toEqual(["class", "error", "instance", "le", "pool", "reason", "route"])
  })
})
