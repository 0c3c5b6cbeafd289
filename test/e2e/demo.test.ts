import { existsSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { immunity } from "../support/run.ts"
import { minutes } from "../support/until.ts"

const hasHaproxy = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"].some((file) => existsSync(file))

/** As root only: its storage is mounted. */
const hasPodman = process.getuid?.() === 0 && existsSync("/usr/bin/podman")

async function demo(kind: string, ...more: readonly string[]) {
  const ran = await immunity(["demo", "--yes", "--json", "--bad", kind, "--port", "0", ...more])
  const last = ran.stdout.trim().split("\n").at(-1) ?? ""
  expect(last, ran.stderr).toMatch(/^\{/)
  return { code: ran.code, result: JSON.parse(last), story: ran.stderr }
}

describe("the whole loop, for real", () => {
  it(
    "a good commit climbs four regions, a bad one comes back by itself, locked and blocked",
    async () => {
      const { code, result, story } = await demo("errors")
      expect(result.good.regions, story).toEqual({
        sandbox1: "succeeded",
        sandbox2: "succeeded",
        prod3: "succeeded",
        prod4: "succeeded",
      })
      expect(result.bad).toMatchObject({
        kind: "errors",
        outcome: "rolled-back",
        locked: true,
        quarantined: true,
        metric: "error_rate",
      })
      expect(result.traffic.failedBySwitching, story).toBe(0)
      expect(result.leftovers, story).toBe(0)
      expect(code).toBe(0)
    },
    4 * minutes,
  )

  it.skipIf(!hasHaproxy)(
    "goes the same way with HAProxy in front, and nobody fails by its switching",
    async () => {
      const { code, result, story } = await demo("errors", "--router", "haproxy")
      expect(Object.values(result.good.regions), story).toEqual(Array(4).fill("succeeded"))
      expect(result.bad).toMatchObject({ outcome: "rolled-back", locked: true, metric: "error_rate" })
      expect(result.traffic.failedBySwitching, story).toBe(0)
      expect(result.leftovers, story).toBe(0)
      expect(code).toBe(0)
    },
    4 * minutes,
  )

  it(
    "wrong answers with status 200 are found in the sandbox, before any user gets one",
    async () => {
      const { code, result, story } = await demo("wrong")
      expect(Object.values(result.good.regions), story).toEqual(Array(4).fill("succeeded"))
      expect(result.bad, story).toMatchObject({
        outcome: "rolled-back",
        region: "sandbox2",
        locked: true,
        metric: "answers",
        harmedRequests: 0,
      })
      expect(code).toBe(0)
    },
    4 * minutes,
  )

  it(
    "an edited instance is found and replaced by a fresh one",
    async () => {
      const { result, story } = await demo("drift")
      expect(result.bad, story).toMatchObject({ outcome: "replaced", locked: false })
      expect(result.traffic.failedBySwitching, story).toBe(0)
      expect(result.leftovers, story).toBe(0)
    },
    4 * minutes,
  )

  it.skipIf(!hasPodman)(
    "goes the same way with containers, and one that root edits from outside is found and replaced",
    async () => {
      const { code, result, story } = await demo("drift", "--compute", "docker")
      expect(Object.values(result.good.regions), story).toEqual(Array(4).fill("succeeded"))
      expect(result.bad, story).toMatchObject({ kind: "drift", outcome: "replaced", locked: false })
      expect(result.bad.secondsToDetect).toBeGreaterThan(0)
      expect(result.traffic.failedBySwitching, story).toBe(0)
      expect(result.leftovers, story).toBe(0)
      expect(code).toBe(0)
    },
    8 * minutes,
  )

  it(
    "blind is held: never advanced, never rolled back, not locked",
    async () => {
      const { result, story } = await demo("blind")
      expect(result.bad, story).toMatchObject({ outcome: "held", locked: false, quarantined: false })
      expect(result.traffic.failedBySwitching, story).toBe(0)
      expect(result.leftovers, story).toBe(0)
    },
    4 * minutes,
  )
})
