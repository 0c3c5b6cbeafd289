import { spawnSync } from "node:child_process"
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { computeOn, realEngine } from "../../../test/support/engine.ts"
import type { Digest } from "../../core/model/ids.ts"
import type { InstanceSpec } from "../../core/pipeline/effects.ts"
import type { Compute } from "../../ports/compute.ts"
import { specOf } from "../../testing/compute-world.ts"
import { until } from "../../testing/router-world.ts"

const engine = await realEngine()
afterAll(() => engine?.close())

/** Reads its configuration when it starts, shows it, and tries to change it. */
const server = `
const fs = require("fs")
const file = process.env.IMMUNITY_CONFIGURATION_FILE
const found = file ? fs.readFileSync(file, "utf8") : "nothing"
const attempt = (act) => { try { act() } catch (error) { return error.code } return "done" }
require("http").createServer((request, response) => {
  if (request.url === "/configuration") return response.end(found)
  if (request.url === "/environment") return response.end(JSON.stringify(process.env))
  response.end(JSON.stringify([
    attempt(() => fs.writeFileSync(file, "{}")),
    attempt(() => fs.writeFileSync("/run/immunity/more", "")),
    attempt(() => fs.unlinkSync(file)),
  ]))
}).listen(process.env.PORT, process.env.HOST, () => console.log("up"))
`

const secret = "correct horse battery staple"

describe.skipIf(!engine)("what a container is configured with", () => {
  if (!engine) return
  const signal = AbortSignal.timeout(600_000)
  const { key, handed } = engine
  let image: Digest
  let dir: string
  let compute: Compute

  const open = () => computeOn(engine, dir)

  beforeAll(async () => {
    const built = await engine.build({ "server.js": server })
    if (built.kind === "failed") throw new Error(built.because)
    image = built.digest
  })
  beforeEach(() => {
    dir = engine.folder()
    compute = open()
  })
  afterEach(async () => {
    for (const { id } of await compute.list(signal)) await compute.forget(id)
  })

  const spec = (
    id: string,
    version?: number,
    values: Readonly<Record<string, string>> = {},
  ): InstanceSpec => ({
    ...specOf(id, image),
    ...(version === undefined
      ? {}
      : {
          release: `${"c".repeat(40)}.c${version}`,
          configuration: {
            version,
            values: Object.fromEntries(Object.entries(values).map(([name, plain]) => [name, { plain }])),
          },
        }),
  })
  const start = (...of: Parameters<typeof spec>) =>
    compute.start(spec(...of), { app: "papi", epoch: 3, generation: 1 }, signal)
  const differencesOf = async (id: string) => {
    const found = (await compute.list(signal)).find((one) => one.id === id)
    return found?.differences.map(({ path, what }) => `${path} ${what}`)
  }
  const ask = (id: string, path: string) =>
    until(`${id} to answer ${path}`, async () => {
      const found = (await compute.list(signal)).find((one) => one.id === id)
      return fetch(`http://${found?.address}${path}`).then(
        (answer) => answer.text(),
        () => undefined,
      )
    })
  const configurationOf = async (id: string) => JSON.parse(await ask(id, "/configuration")) as unknown

  it("is read by it from a file: a changed configuration is another release with its own values beside it", async () => {
    await start("papi-prod-1", 3, { TIMEOUT_MS: "500" })
    await start("papi-prod-2", 4, { TIMEOUT_MS: "900" })
    await start("papi-prod-3")
    const told = { app: "papi", region: "prod" }
    const of = (version: number) => ({ ...told, release: `${"c".repeat(40)}.c${version}`, version })
    expect(await configurationOf("papi-prod-1")).toEqual({ ...of(3), values: { TIMEOUT_MS: "500" } })
    expect(await configurationOf("papi-prod-2")).toEqual({ ...of(4), values: { TIMEOUT_MS: "900" } })
    expect(await ask("papi-prod-3", "/configuration")).toBe("nothing")
  })

  it("cannot be changed from inside, and is no difference, also to an agent that was started anew", async () => {
    await start("papi-prod-1", 3, { TIMEOUT_MS: "500" })
    expect(JSON.parse(await ask("papi-prod-1", "/"))).toEqual(["EROFS", "EROFS", "EROFS"])
    expect(await differencesOf("papi-prod-1")).toEqual([])
    compute = open()
    expect(await differencesOf("papi-prod-1")).toEqual([])
  })

  it("is in no environment, argument, label, image or log, and nobody else of the machine may read it", async () => {
    await start("papi-prod-1", 3, { PASSWORD: secret })
    expect(await configurationOf("papi-prod-1")).toMatchObject({ values: { PASSWORD: secret } })
    const name = `immunity-${key}-papi-prod-1`
    const told = [
      await ask("papi-prod-1", "/environment"),
      JSON.stringify(await engine.ask("GET", `/containers/${name}/json`)),
      engine.command("inspect", name),
      engine.command("image", "inspect", image.slice(7)),
      engine.command("image", "history", "--no-trunc", image.slice(7)),
      engine.command("logs", name),
      engine.command("top", name, ...(engine.kind === "podman" ? ["args"] : ["-o", "pid,args"])),
    ]
    for (const text of told) expect(text).not.toContain(secret)
    // In all that engine and agent keep, layers of images and containers among them, there is one file with it.
    const { stdout: found } = spawnSync("grep", ["-rlFs", "--devices=skip", secret, join(handed, "..")], {
      encoding: "utf8",
    })
    expect(found.trim().split("\n")).toEqual([join(handed, name, "configuration.json")])
    expect(statSync(handed).mode & 0o077).toBe(0)
  })

  it("is found to be modified when root edits it on the server", async () => {
    await start("papi-prod-1", 3, { TIMEOUT_MS: "500" })
    await configurationOf("papi-prod-1")
    const file = join(handed, `immunity-${key}-papi-prod-1`, "configuration.json")
    chmodSync(file, 0o644)
    writeFileSync(file, readFileSync(file, "utf8").replace("500", "1"))
    const finding = until("a difference", async () => {
      const found = await differencesOf("papi-prod-1")
      return found && found.length > 0 ? found : undefined
    })
    expect(await finding).toEqual(["/run/immunity/configuration.json changed"])
  })

  it("is gone with its container", async () => {
    await start("papi-prod-1", 3, { PASSWORD: secret })
    await compute.stop("papi-prod-1", 0, signal)
    await compute.forget("papi-prod-1")
    expect(existsSync(handed) ? readdirSync(handed) : []).toEqual([])
  })
})
