import { describe, expect, it } from "vitest"
import type { MetricPolicy } from "../../core/model/policy.ts"
import type { Inbox, Pushed } from "../../ports/inbox.ts"
import { atProd3 } from "../../testing/core-stories.ts"
import { papiPolicy } from "../../testing/core-world.ts"
import { pushToken } from "../access.ts"
import { ApiError, type ApiParts } from "../parts.ts"
import { createApi } from "../server.ts"
import { readMeasured } from "./measurements.ts"

const pushed = (name: string, kind: MetricPolicy["kind"]): MetricPolicy => ({
  name,
  kind,
  source: { type: "push" },
  worse: "up",
  critical: false,
  tolerateRatio: 0.2,
  tolerateDelta: 0,
})
const metrics = [
  pushed("queue", "gauge"),
  pushed("signups", "events"),
  pushed("checkouts", "error-proportion"),
  pushed("took", "latency-quantile"),
  { ...pushed("memory", "gauge"), source: { type: "scrape", path: "/metrics", query: "memory" } } as const,
]
const { world, commit, rollout } = atProd3(papiPolicy({ metrics }))
const region = world.state.regions.find(({ name }) => name === "prod3")
const canary = Object.values(region?.instances ?? {}).find(({ pool }) => pool === rollout().number)
const control = Object.values(region?.instances ?? {}).find(({ pool }) => pool !== rollout().number)
if (!canary || !control) throw new Error("the story has no canary beside a control")

const now = Date.parse("2026-11-21T12:00:00Z")
type Measured = Parameters<typeof readMeasured>[1][number]
const mine = (more: Partial<Measured>): Measured => ({
  instance: canary.id,
  release: commit.slice(0, 7),
  metric: "queue",
  ...more,
})
const read = (...measured: readonly Measured[]) => readMeasured(world.state, measured, now)
const refusal = (...measured: readonly Measured[]): string => {
  try {
    return `kept: ${JSON.stringify(read(...measured))}`
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    return `${error.status} ${error.code} ${error.message}`
  }
}

describe("what an instance pushes", () => {
  it("is a level, events, requests or latencies, as its metric's kind wants", () => {
    expect(
      read(
        mine({ value: 7, time: now - 1_000 }),
        mine({ metric: "signups", value: 3, time: "2026-11-21T11:59:58Z" }),
        mine({ metric: "checkouts", total: 10, bad: 1 }),
        mine({ metric: "took", latencies: [12.5, 80] }),
      ),
    ).toEqual([
      { instance: canary.id, metric: "queue", at: now - 1_000, told: { kind: "gauge", value: 7 } },
      { instance: canary.id, metric: "signups", at: now - 2_000, told: { kind: "events", events: 3 } },
      {
        instance: canary.id,
        metric: "checkouts",
        at: undefined,
        told: { kind: "proportion", total: 10, bad: 1 },
      },
      {
        instance: canary.id,
        metric: "took",
        at: undefined,
        told: { kind: "latencies", latencies: [12.5, 80] },
      },
    ])
  })

  it("is taken from the control too, though its own rollout did not ask for it", () => {
    expect(refusal({ instance: control.id, release: control.release, metric: "queue", value: 1 })).toMatch(
      /^kept/,
    )
  })

  it("is refused as a whole when one of it is wrong, and says which and why", () => {
    const good = mine({ value: 1 })
    expect(refusal(good, mine({ instance: "papi-x-r1-1", value: 1 }))).toMatch(
      /^422 unknown-instance measurements\/1: papi has no instance papi-x-r1-1 .*nothing of this request was kept/,
    )
    expect(refusal(mine({ release: "fffffff", value: 1 }))).toMatch(/^422 wrong-release .* runs b2/)
    expect(refusal(mine({ metric: "memory", value: 1 }))).toMatch(
      /^422 unknown-metric .*those that have: queue, signups, checkouts, took/,
    )
    expect(refusal(mine({ total: 1, bad: 0 }))).toMatch(/^422 wrong-shape .* takes value/)
    expect(refusal(mine({ metric: "signups", value: 1.5 }))).toMatch(/^422 wrong-shape .*a whole number/)
    expect(refusal(mine({ metric: "checkouts", total: 1, bad: 2 }))).toMatch(/^422 wrong-shape/)
    expect(refusal(mine({ metric: "took", value: 2 }))).toMatch(/^422 wrong-shape .*milliseconds/)
    expect(refusal(mine({ value: 1, time: now - 3_600_000 }))).toMatch(/^422 wrong-time .*12:00:00/)
    expect(refusal(mine({ value: 1, time: now + 3_600_000 }))).toMatch(/^422 wrong-time/)
    expect(refusal(mine({ value: 1, time: "yesterday" }))).toMatch(/^422 wrong-time/)
  })
})

describe("POST /v1/apps/:app/measurements", () => {
  const token = "t".repeat(32)
  const post = async (
    body: unknown,
    given = pushToken(token),
    parts: Partial<ApiParts> = {},
    path = "/v1/apps/papi/measurements",
  ) => {
    const kept: Pushed[] = []
    const inbox: Inbox = {
      accept(_app, pushed) {
        kept.push(...pushed)
        return { kept: pushed.length }
      },
    }
    const engine = { state: () => world.state, follows: () => false }
    const clock = { now: () => now }
    const api = await createApi({ token, inbox, engine, clock, ...parts } as unknown as ApiParts)
    const answer = await api.inject({
      method: "POST",
      url: path,
      headers: given === "" ? {} : { authorization: `Bearer ${given}` },
      payload: body as object,
    })
    await api.close()
    return { status: answer.statusCode, type: answer.headers["content-type"], said: answer.json(), kept }
  }
  const body = { measurements: [mine({ value: 7 })] }

  it("keeps what an instance tells with the push token", async () => {
    expect(await post(body)).toMatchObject({
      status: 202,
      said: { ok: true, kept: 1 },
      kept: [{ metric: "queue" }],
    })
    expect(await post(body, token)).toMatchObject({ status: 202 })
  })

  it("answers problem+json that says what to do", async () => {
    const problems = expect.stringMatching(/^application\/problem\+json/)
    expect(await post(body, "")).toMatchObject({ status: 401, type: problems, said: { code: "no-token" } })
    expect(await post(body, "x".repeat(43))).toMatchObject({ status: 401, said: { code: "wrong-token" } })
    expect(await post({ measurements: [] })).toMatchObject({ status: 400, type: problems, kept: [] })
    expect(await post({ measurements: [{ ...mine({}), valeu: 7 }] })).toMatchObject({ status: 400, kept: [] })
    const many = new Array(1_001).fill(mine({ value: 7 }))
    expect(await post({ measurements: many })).toMatchObject({ status: 400, kept: [] })
    const wrong = { measurements: [mine({ value: 7 }), mine({ metric: "nothing", value: 7 })] }
    expect(await post(wrong)).toMatchObject({ status: 422, type: problems, kept: [] })
    expect(await post("<html>please log in</html>")).toMatchObject({
      status: 415,
      said: { code: "wrong-type" },
      kept: [],
    })
    expect(await post({ measurements: [mine({ metric: "x".repeat(2_000_000) })] })).toMatchObject({
      status: 413,
      said: { code: "too-large" },
    })
    expect(await post(body, token, { inbox: { accept: () => "full" } })).toMatchObject({
      status: 429,
      type: problems,
    })
    const engine = { state: () => world.state, follows: () => true } as unknown as ApiParts["engine"]
    expect(await post(body, token, { engine })).toMatchObject({
      status: 503,
      said: { code: "not-leader" },
    })
  })

  it("is the only thing that the push token opens", async () => {
    const path = "/v1/apps/papi/pause"
    expect(await post({ reason: "x" }, pushToken(token), {}, path)).toMatchObject({
      status: 401,
      said: { code: "wrong-token" },
    })
  })
})
