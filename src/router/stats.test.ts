import { describe, expect, it } from "vitest"
import type { CountersJson } from "./counters.ts"
import type { SparseHistogram } from "./histogram.ts"
import { mergeRoutes, type RouteStats } from "./stats.ts"

const counted = (requests: number, histogram: SparseHistogram): CountersJson => ({
  requests,
  errors: { connect: 1, timeout: 0, reset: 0, "5xx": 2 },
  status: { "1xx": 0, "2xx": requests, "3xx": 0, "4xx": 0, "5xx": 2 },
  aborted: 1,
  replayed: 1,
  inFlight: 3,
  histogram,
})

const mirror = (to: string, sent: number) => {
  const side = { requests: sent, bad: 0, histogram: [] }
  return { to, sent, dropped: 1, failed: 0, aborted: 0, primary: side, candidate: side }
}

const route = (more: Partial<RouteStats>): Record<string, RouteStats> => ({
  "papi/prod": { pools: {}, own: {}, fellBack: {}, ...more },
})

describe("the counts of several workers", () => {
  it("are added up as if one had counted, bucket by bucket", () => {
    const merged = mergeRoutes([
      route({ pools: { r1: { "r1-0": counted(10, [[5, 6], [9, 4]]) } }, own: { full: 1 } }), // biome-ignore format: one line each
      route({ pools: { r1: { "r1-0": counted(20, [[4, 1], [9, 19]]) } }, own: { full: 2, connect: 1 } }), // biome-ignore format: one line each
    ])["papi/prod"]
    expect(merged?.own).toEqual({ full: 3, connect: 1 })
    expect(merged?.pools.r1?.["r1-0"]).toEqual({
      requests: 30,
      errors: { connect: 2, timeout: 0, reset: 0, "5xx": 4 },
      status: { "1xx": 0, "2xx": 30, "3xx": 0, "4xx": 0, "5xx": 4 },
      aborted: 2,
      replayed: 2,
      inFlight: 6,
      histogram: [
        [4, 1],
        [5, 6],
        [9, 23],
      ],
    })
  })

  it("keep what only one of them has seen", () => {
    const merged = mergeRoutes([
      route({ pools: { r1: { "r1-0": counted(1, []) } } }),
      route({ pools: { r2: { "r2-0": counted(2, []) } } }),
    ])["papi/prod"]
    expect(Object.keys(merged?.pools ?? {})).toEqual(["r1", "r2"])
  })

  it("say nothing of a mirror by what was counted for its predecessor", () => {
    const merged = mergeRoutes([route({ mirror: mirror("old", 5) }), route({ mirror: mirror("new", 7) })])
    expect(merged["papi/prod"]?.mirror).toMatchObject({ to: "new", sent: 7 })
    const same = mergeRoutes([route({ mirror: mirror("new", 5) }), route({ mirror: mirror("new", 7) })])
    expect(same["papi/prod"]?.mirror).toMatchObject({ to: "new", sent: 12, dropped: 2 })
  })
})
