import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { InstanceSpec } from "../core/pipeline/effects.ts"
import { Configurations } from "./configurations.ts"

const spec = (id: string, values: Readonly<Record<string, string>> = { GREETING: "hello" }) =>
  ({
    id,
    region: "sandbox",
    release: `${"a".repeat(40)}.c3`,
    configuration: {
      version: 3,
      values: Object.fromEntries(Object.entries(values).map(([key, plain]) => [key, { plain }])),
    },
  }) as unknown as InstanceSpec

describe("the configuration of an instance", () => {
  let dir: string
  let open: Configurations

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "immunity-configurations-"))
    open = await Configurations.open(dir)
  })

  afterEach(async () => {
    await open.close()
    rmSync(dir, { recursive: true, force: true })
  })

  const ask = async (env: Readonly<Record<string, string>>, token?: string) => {
    const answer = await fetch(env.IMMUNITY_CONFIGURATION_URL ?? "", {
      headers: { authorization: `Bearer ${token ?? env.IMMUNITY_CONFIGURATION_TOKEN}` },
    })
    return { status: answer.status, body: await answer.json() }
  }

  it("is read with the instance's token, which opens nobody else's", async () => {
    const first = await open.grant("papi", spec("papi-1"))
    const second = await open.grant("papi", spec("papi-2", { GREETING: "hi" }))
    expect(await ask(first)).toEqual({
      status: 200,
      body: {
        app: "papi",
        region: "sandbox",
        release: `${"a".repeat(40)}.c3`,
        version: 3,
        values: { GREETING: "hello" },
      },
    })
    expect((await ask(first, second.IMMUNITY_CONFIGURATION_TOKEN)).body).toMatchObject({
      values: { GREETING: "hi" },
    })
    expect(await ask(first, "guessed")).toMatchObject({ status: 401 })
  })

  it("is still there, at the same address, after the agent was started anew", async () => {
    const env = await open.grant("papi", spec("papi-1"))
    await open.close()
    open = await Configurations.open(dir)
    expect(await ask(env)).toMatchObject({ status: 200, body: { version: 3 } })
  })

  it("is gone with its instance, and its file is for its owner's eyes only", async () => {
    const env = await open.grant("papi", spec("papi-1"))
    expect(statSync(join(dir, "configurations.json")).mode & 0o077).toBe(0)
    await open.withdraw("papi-1")
    expect(await ask(env)).toMatchObject({ status: 401 })
  })

  it("is not mentioned where nothing was configured", async () => {
    expect(await open.grant("papi", { ...spec("papi-1"), configuration: undefined })).toEqual({})
  })
})
