import { expect, it } from "vitest"
import { precedence } from "./precedence.ts"

const sorted = (versions: readonly string[]) =>
  versions.map((one) => versions.map((other) => Math.sign(precedence(one, other) ?? Number.NaN)))

/** What `sorted` answers when each stands before all that follow it. */
const inOrder = (length: number) =>
  Array.from({ length }, (_, one) => Array.from({ length }, (_, other) => Math.sign(one - other)))

it.each([
  { of: "releases", versions: ["1.0.0", "2.0.0", "2.1.0", "2.1.1"] },
  {
    of: "what leads up to a release",
    versions: [
      ...["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta"],
      ...["1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0"],
    ],
  },
  { of: "numbers that no float holds", versions: ["1.0.0-9007199254740992", "1.0.0-9007199254740993"] },
])("the specification's own order of $of is ours", ({ versions }) => {
  expect(sorted(versions)).toEqual(inOrder(versions.length))
})

it("what a build is called says nothing about its order", () => {
  expect(precedence("1.0.0+linux", "1.0.0+20260101.5114f85")).toBe(0)
  expect(precedence("1.0.0-rc.1+linux", "1.0.0")).toBeLessThan(0)
})

it("what is not a version stands nowhere", () => {
  for (const text of ["", "1", "1.2", "v1.2.3", "1.2.3-", "1.2.3-a..b", "1.2.3.4", "main"])
    expect([text, precedence(text, "1.0.0"), precedence("1.0.0", text)]).toEqual([text, undefined, undefined])
})
