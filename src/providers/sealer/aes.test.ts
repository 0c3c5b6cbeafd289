import { describe, expect, it } from "vitest"
import { aesSealer } from "./aes.ts"

const sealer = (key: string) => aesSealer({ whose: "secrets-key", key: () => key.repeat(43) })

describe("a sealed secret", () => {
  it("is opened by the same key for the same purpose, and looks different each time", () => {
    const [a, b] = [sealer("k").seal("pässword", "papi DB"), sealer("k").seal("pässword", "papi DB")]
    expect(a).not.toContain("pässword")
    expect(a).not.toBe(b)
    expect(sealer("k").open(a, "papi DB")).toBe("pässword")
  })

  it.each([
    ["another key", (sealed: string) => sealer("x").open(sealed, "papi DB")],
    ["another purpose", (sealed: string) => sealer("k").open(sealed, "papi OTHER")],
    ["a changed byte", (sealed: string) => sealer("k").open(`${sealed.slice(0, -2)}xx`, "papi DB")],
    ["a shortened text", (sealed: string) => sealer("k").open(sealed.slice(0, 12), "papi DB")],
    ["no seal at all", () => sealer("k").open("pässword", "papi DB")],
  ] as const)("is not opened with %s, and it is said what to do", (_, open) => {
    const sealed = sealer("k").seal("pässword", "papi DB")
    expect(() => open(sealed)).toThrow(/cannot be opened with secrets-key.*bring back/)
  })
})
