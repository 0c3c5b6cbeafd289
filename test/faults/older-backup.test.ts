import { rmSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import type { AppView } from "../../src/api/contract/views.ts"
import { immunity, type Ran } from "../support/run.ts"
import { minutes, pause } from "../support/until.ts"
import { Findings, forTests } from "./campaign/stage/result.ts"
import { withTrial } from "./campaign/stage/trial.ts"

describe("a backup that is older than what runs", () => {
  it(
    "is told and changes nothing; a person lets it count, and users notice neither",
    async () => {
      const findings = new Findings()
      await withTrial(findings, forTests, {}, async (trial) => {
        const { cluster } = trial
        const dir = join(cluster.dir, "server")
        const backup = join(cluster.dir, "first.backup")
        await trial.begin()
        await done(immunity(["backup", backup, "--dir", dir]))
        const second = cluster.commit("second", "none")
        await cluster.climb(second, "succeeded")
        const running = async () => {
          const { instances } = await cluster.agent.observe(["papi"], AbortSignal.timeout(60_000))
          return instances.flatMap(({ id, state }) => (state === "ready" ? [id] : [])).sort()
        }
        await cluster.quiet()
        const later = await cluster.until(
          "the old release to be gone",
          async () => ((await running()).length === 1 ? running() : undefined),
          minutes,
        )

        await cluster.plane.end()
        for (const name of ["immunity.db", "immunity.db-wal", "immunity.db-shm"])
          rmSync(join(dir, name), { force: true })
        await done(immunity(["restore", backup, "--dir", dir]))
        cluster.serve()
        const held = await cluster.until(
          "it to be told",
          async () => {
            const app: AppView = await cluster.app()
            return app.sentence.includes("ahead of this journal") ? app : undefined
          },
          minutes,
        )
        findings.expect(held.tone === "wait" && held.todo.includes("immunity resume papi"), held.todo)
        const refused = await cluster.ask("POST", "/v1/apps/papi/deploy", { reason: "now" }).then(
          () => "obeyed",
          (error: Error) => error.message,
        )
        findings.expect(refused.includes("409"), `an order was not refused: ${refused}`)
        await pause(3_000)
        findings.expect(String(await running()) === String(later), "what ran was touched")

        await cluster.ask("POST", "/v1/apps/papi/resume", { reason: "there is no later backup" })
        await cluster.climb(second, "succeeded")
        await trial.looksForStrays()
        const [newest] = (await cluster.app()).rollouts
        findings.expect((newest?.number ?? 0) > 1_000, `number ${newest?.number} may have been used before`)
      })
      const result = findings.result()
      expect(result.broken).toEqual([])
      expect(result).toMatchObject({ passed: true, failedRequests: 0, leaks: 0 })
      expect(result.requests).toBeGreaterThan(500)
    },
    10 * minutes,
  )
})

async function done(running: Promise<Ran>): Promise<void> {
  const { code, stderr } = await running
  expect(stderr).toBe("")
  expect(code).toBe(0)
}
