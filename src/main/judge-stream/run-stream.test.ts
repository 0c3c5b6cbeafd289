import { Readable, Writable } from "node:stream"
import { describe, expect, it } from "vitest"
import { runStream } from "./run-stream.ts"

const header = {
  type: "header",
  case: "a",
  weight: 0.5,
  interval_s: 10,
  duration_s: 600,
  warmup_s: 60,
  metrics: [
    {
      name: "http_errors",
      kind: "proportion",
      direction: "increase-is-bad",
      critical: true,
      margin: { rel: 0.1, abs: 0.001 },
      temporality: "cumulative",
    },
  ],
}

/** Counters of both sides, `bad` of 100 requests failing each interval on the canary; then what is said. */
async function said(lines: readonly unknown[]): Promise<readonly { decision: string; t: number }[]> {
  const out: string[] = []
  const output = new Writable({
    write(chunk, _, done) {
      out.push(String(chunk))
      done()
    },
  })
  await runStream(Readable.from(lines.map((line) => `${JSON.stringify(line)}\n`)), output)
  return out.map((text) => JSON.parse(text))
}

function rollout(bad: (i: number) => number, reset?: number): readonly unknown[] {
  const lines: unknown[] = [header]
  let [errors, total] = [0, 0]
  const obs = (t: number) => [
    { type: "obs", t, metric: "http_errors", role: "canary", errors, total },
    { type: "obs", t, metric: "http_errors", role: "control", errors: 0, total: t * 10 },
  ]
  lines.push(...obs(0))
  for (let i = 1; i <= 60; i++) {
    if (i === reset) [errors, total] = [0, 0]
    errors += bad(i)
    total += 100
    lines.push(...obs(10 * i), { type: "tick", t: 10 * i, ...(i === 60 ? { end: true } : {}) })
  }
  return lines
}

describe("a stream of measurements", () => {
  it("is answered with one decision a tick: a good one is promoted at the end, not before", async () => {
    const answers = await said(rollout(() => 0))
    expect(answers).toHaveLength(60)
    expect(answers.slice(0, -1).every(({ decision }) => decision === "hold")).toBe(true)
    expect(answers.at(-1)).toMatchObject({ case: "a", t: 600, decision: "promote" })
  })

  it("is rolled back where the canary fails, after its warm-up when that might explain it", async () => {
    const first = (answers: readonly { decision: string; t: number }[]) =>
      answers.find(({ decision }) => decision === "rollback")?.t
    expect(first(await said(rollout(() => 2)))).toBeGreaterThan(60)
    expect(first(await said(rollout((i) => (i > 30 ? 8 : 0))))).toBeGreaterThan(300)
    expect(first(await said(rollout(() => 50)))).toBeLessThanOrEqual(60)
  })

  it("is not confused by a counter that began anew, nor by ticks without data, which are never promoted", async () => {
    expect((await said(rollout(() => 0, 30))).at(-1)).toMatchObject({ decision: "promote" })
    const blind = rollout(() => 0).filter((line) => (line as { type: string }).type !== "obs")
    expect((await said(blind)).every(({ decision }) => decision === "hold")).toBe(true)
  })

  it("may name instances, whose counters begin anew one by one: those of the control say how far they lie apart", async () => {
    // Of a hundred requests each fail so many; the canary's rate is one that an instance of the control has too.
    const run = (control: readonly number[]) => {
      const lines: unknown[] = [header]
      const counters = new Map<string, { errors: number; total: number }>()
      for (let t = 0; t <= 600; t += 10) {
        const say = (role: string, instance: string, bad: number) => {
          const began = instance === "b" && t === 300
          const before = (began ? undefined : counters.get(instance)) ?? { errors: 0, total: 0 }
          const now = { errors: before.errors + bad, total: before.total + 100 }
          counters.set(instance, now)
          lines.push({ type: "obs", t, metric: "http_errors", role, instance, ...now })
        }
        for (const id of ["x", "y"]) say("canary", id, 10)
        control.forEach((bad, i) => {
          say("control", "abcdef"[i] ?? "", bad)
        })
        if (t > 0) lines.push({ type: "tick", t, ...(t === 600 ? { end: true } : {}) })
      }
      return said(lines)
    }
    const alike = await run([6, 6, 6, 6, 6, 6])
    expect(alike.some(({ decision }) => decision === "rollback")).toBe(true)
    const unlike = await run([2, 4, 5, 7, 8, 10])
    expect(unlike.every(({ decision }) => decision === "hold")).toBe(true)
  })

  it("with a bad line ends with its number and what was expected", async () => {
    await expect(said([{ type: "tick", t: 10 }])).rejects.toThrow(/line 1: tick before the header/)
    await expect(said([header, { type: "obs", t: 10 }])).rejects.toThrow(/line 2: .*without "metric"/)
    await expect(said([header, { kind: "obs" }])).rejects.toThrow(/line 2: .*expected header, obs or tick/)
  })
})
