import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { defaultLimits, readSettings } from "./settings.ts"

describe("the settings of HAProxy's folder", () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "settings-"))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  const written = (text: string) => {
    writeFileSync(join(dir, "settings.json"), text)
    return readSettings(join(dir, "settings.json"))
  }

  it("need not be there", () => {
    expect(readSettings(join(dir, "settings.json"))).toEqual({ tls: undefined, limits: defaultLimits })
  })

  it("name certificate, key and limits as the router of our own does", () => {
    expect(written('{"cert": "/c", "key": "/k", "max-connections-per-address": 50}')).toEqual({
      tls: { cert: "/c", key: "/k" },
      limits: { ...defaultLimits, connectionsPerAddress: 50 },
    })
  })

  it.each([
    ["no JSON", "{cert}", /is not JSON/],
    ["half of a pair", '{"cert": "/c"}', /must name both files/],
    [
      "what only the other router has",
      '{"dead-man": "5m"}',
      /no setting dead-man here; there are cert, key, max-/,
    ],
    ["a limit that lets nobody in", '{"max-connections": 0}', /max-connections must be a whole number/],
  ])("refused: %s", (_, text, message) => {
    expect(() => written(text)).toThrow(message)
  })
})
