import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { ConfigurationView } from "../../src/api/contract/views.ts"
import { Cluster } from "../support/cluster.ts"
import { immunity } from "../support/run.ts"
import { minutes } from "../support/until.ts"

const pipeline = ([sandbox, production]: readonly number[]): string => `version: 1
app: papi
start: node server.js
run: { health: { path: /healthz, every: 200ms, healthy: 1 }, drain: 1s }
regions:
  - { name: sandbox, listen: ${sandbox} }
  - { name: production, listen: ${production}, bake: 0s }
`

/** Asks for its configuration when it starts, and shows it. */
const server = `
import { createServer } from "node:http"
const { IMMUNITY_CONFIGURATION_URL: url, IMMUNITY_CONFIGURATION_TOKEN: token, PORT } = process.env
const headers = { authorization: "Bearer " + token }
const found = url ? await (await fetch(url, { headers })).json() : { values: {} }
createServer((_, response) => response.end(JSON.stringify(found))).listen(PORT, "127.0.0.1")
`

const secret = "correct horse battery staple"

describe("what an application is configured with", () => {
  let cluster: Cluster

  const config = (args: readonly string[], input = "") =>
    immunity(
      ["config", ...args],
      { IMMUNITY_SERVER: cluster.url, IMMUNITY_DIR: join(cluster.dir, "server"), IMMUNITY_ACTOR: "Mira" },
      input,
    )
  const served = async (region: number) =>
    (await (await fetch(`http://127.0.0.1:${cluster.ports[region]}/`)).json()) as {
      version?: number
      values: Readonly<Record<string, string>>
    }
  const serves = (region: number, version: number | undefined) =>
    cluster.until(
      `version ${version}`,
      async () => {
        const now = await served(region)
        return now.version === version ? now : undefined
      },
      2 * minutes,
    )

  beforeAll(async () => {
    cluster = await Cluster.open(2, pipeline)
    cluster.serve()
    cluster.commit("first version", "none", { "server.js": server })
    await cluster.until(
      "the server",
      () => cluster.ask("POST", "/v1/apps", { app: "papi", url: cluster.repository }),
      minutes,
    )
    await serves(2, undefined)
  }, 4 * minutes)

  afterAll(async () => {
    expect(await cluster.close()).toEqual([])
  }, minutes)

  it(
    "climbs the regions by fresh instances that ask for it, each region with its own values",
    async () => {
      const set = ["set", "papi", "GREETING=hello", "--reason", "a friendlier tone", "--yes"]
      expect((await config(set)).code).toBe(0)
      await serves(1, 1)
      await serves(2, 1)
      const own = ["set", "papi", "GREETING=hi", "--region", "production", "--secret", "PASSWORD"]
      expect((await config([...own, "--reason", "a person there", "--yes"], secret)).code).toBe(0)
      expect((await serves(2, 2)).values).toEqual({ GREETING: "hi", PASSWORD: secret })
      expect((await served(1)).values).toEqual({ GREETING: "hello" })
    },
    5 * minutes,
  )

  it("never shows a secret again, and stores it sealed", async () => {
    const { stdout } = await config(["show", "papi"])
    expect(stdout).toContain("PASSWORD (production)  secret")
    const view = await cluster.ask<ConfigurationView>("GET", "/v1/apps/papi/configuration")
    expect(view.regions).toEqual([
      { region: "sandbox", version: 2 },
      { region: "production", version: 2 },
    ])
    const timeline = JSON.stringify(await cluster.timeline())
    expect(timeline).toContain("PASSWORD is a new secret at production")
    const pages = await (await fetch(`${cluster.url}/a/papi/timeline`)).text()
    for (const text of [stdout, JSON.stringify(view), timeline, pages]) expect(text).not.toContain(secret)
    const withIt = filesWith(join(cluster.dir, "server"), secret)
    expect(withIt.map((file) => file.slice(cluster.dir.length))).toEqual([
      "/server/agent/configurations.json",
    ])
  })

  it("is refused in sentences when it makes no sense", async () => {
    const typed = await config(["set", "papi", "--secret", "PASSWORD=oops", "--reason", "x", "--yes"])
    expect([typed.code, typed.stderr]).toEqual([2, expect.stringContaining("--secret PASSWORD < file")])
    const mars = await config(["set", "papi", "A=1", "--region", "mars", "--reason", "x", "--yes"])
    expect(mars.stderr).toContain("papi has no region mars; it has sandbox, production")
    const same = await config(["set", "papi", "GREETING=hello", "--reason", "x", "--yes"])
    expect(same.stderr).toContain("nothing changes")
  })
})

/** Files that hold a text; an environment or an argument would be found in instance.json. */
function filesWith(folder: string, text: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return filesWith(path, text)
    return entry.isFile() && statSync(path).size < 50e6 && readFileSync(path).includes(text) ? [path] : []
  })
}
