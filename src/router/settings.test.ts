import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { readSettings } from "./settings.ts"

let dir = ""
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "settings-"))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const written = async (text: string) => {
  await writeFile(join(dir, "settings.json"), text)
  return readSettings(dir)
}

describe("the settings in a router's folder", () => {
  it("are the flags of its command, by their names", async () => {
    expect(await written('{"workers": 2, "dead-man": "5m", "max-connections-per-address": 50}')).toEqual({
      workers: "2",
      deadMan: "5m",
      maxConnectionsPerAddress: "50",
    })
  })

  it("need not be there", async () => {
    expect(await readSettings(dir)).toEqual({})
  })

  it.each([
    ["no JSON", "{workers: 2}", /settings.json is not JSON/],
    ["no object", "[2]", /must be an object of flags/],
    ["a flag that there is not", '{"worker": 2}', /there is no flag --worker; see immunity router --help/],
    ["a flag that only the command line has", '{"listen": ":80"}', /there is no flag --listen/],
    ["a value that is no value", '{"workers": [2]}', /workers must be a text or a number/],
  ])("refused: %s", async (_, text, message) => {
    await expect(written(text)).rejects.toThrow(message)
  })
})
