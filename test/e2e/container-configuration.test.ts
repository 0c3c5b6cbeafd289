import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Cluster } from "../support/cluster.ts"
import { realEngine } from "../support/engine.ts"
import { immunity } from "../support/run.ts"
import { minutes } from "../support/until.ts"

const pipeline = ([production]: readonly number[]): string => `version: 1
app: papi
start: node server.js
run: { health: { path: /healthz, every: 200ms, healthy: 1 }, drain: 1s }
regions:
  - { name: production, listen: ${production}, bake: 0s }
`

/** Reads its configuration when it starts, and shows it. */
const server = `
const file = process.env.IMMUNITY_CONFIGURATION_FILE
const found = file ? require("fs").readFileSync(file, "utf8") : '{"values":{}}'
const { HOST, PORT } = process.env
process.on("SIGTERM", () => process.exit(0))
require("http").createServer((_, response) => response.end(found)).listen(PORT, HOST)
`

const secret = "correct horse battery staple"
const engine = await realEngine()
afterAll(() => engine?.close())

describe.skipIf(!engine)("what an application in containers is configured with", () => {
  if (!engine) return
  let cluster: Cluster

  const serves = (version: number | undefined) =>
    cluster.until(
      `version ${version}`,
      async () => {
        const answer = await fetch(`http://127.0.0.1:${cluster.ports[1]}/`)
        const now = (await answer.json()) as {
          readonly version?: number
          readonly release?: string
          readonly values: Readonly<Record<string, string>>
        }
        return now.version === version ? now : undefined
      },
      2 * minutes,
    )
  const config = (args: readonly string[], input = "") =>
    immunity(
      ["config", ...args, "--reason", "the partner got slower", "--yes"],
      { IMMUNITY_SERVER: cluster.url, IMMUNITY_DIR: join(cluster.dir, "server"), IMMUNITY_ACTOR: "Mira" },
      input,
    )

  beforeAll(async () => {
    const args = ["--compute", "docker", "--engine", engine.socket]
    cluster = await Cluster.open(1, pipeline, { args })
    cluster.serve()
    cluster.commit("first version", "none", {
      "server.js": server,
      "package.json": "{}",
      Dockerfile: `FROM ${engine.base.slice(7)}\nWORKDIR /app\nCOPY server.js ./\n`,
    })
    await cluster.add()
    await serves(undefined)
  }, 4 * minutes)

  // That nothing is left of a server with containers is asked by the demo.
  afterAll(async () => {
    await cluster.close()
  }, minutes)

  it(
    "comes by fresh containers, a change as a release of its own, and lies in one file of each alone",
    async () => {
      expect((await config(["set", "papi", "TIMEOUT_MS=500"])).code).toBe(0)
      expect((await serves(1)).values).toEqual({ TIMEOUT_MS: "500" })
      expect((await config(["set", "papi", "TIMEOUT_MS=900", "--secret", "PASSWORD"], secret)).code).toBe(0)
      const now = await serves(2)
      expect(now.values).toEqual({ TIMEOUT_MS: "900", PASSWORD: secret })
      expect(now.release).toMatch(/^[0-9a-f]{40}\.c2$/)
      // An older one may leave while it is looked at; the one that serves does not.
      const told = (...args: readonly string[]): string => {
        try {
          return engine.command(...args)
        } catch {
          return ""
        }
      }
      const names = engine.command("ps", "--format", "{{.Names}}").trim().split("\n")
      const inspected = names.map((name) => told("inspect", name))
      expect(inspected.join()).toContain(`${now.release}`)
      for (const text of [...inspected, ...names.map((name) => told("logs", name))])
        expect(text).not.toContain(secret)
      const folders = [join(cluster.dir, "server"), join(engine.handed, "..", "podman")]
      const { stdout: found } = spawnSync("grep", ["-rlFs", "--devices=skip", secret, ...folders], {
        encoding: "utf8",
      })
      for (const file of found.trim().split("\n"))
        expect(file).toMatch(
          /\/server\/agent\/handed\/immunity-\w+-papi-production-[\w-]+\/configuration\.json$/,
        )
    },
    5 * minutes,
  )
})
