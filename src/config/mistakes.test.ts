import { expect, it } from "vitest"
import { printProblems } from "./problem.ts"
import { pinsProblem, readPolicy } from "./read-policy.ts"

const top = "version: 1\napp: papi\nstart: node server.js\n"
const good = `${top}regions:\n  - { name: prod, listen: 8101, gate: button }\n`

/** `line:column message` of each mistake. */
const told = (text: string): readonly string[] => {
  const read = readPolicy(text, { file: "immunity.yaml", now: 0 })
  const problems = "problems" in read ? read.problems : []
  return problems.map(({ line, column, message }) => `${line}:${column} ${message}`)
}

it.each([
  {
    what: "an empty file",
    text: "",
    says: "1:1 there is nothing in it",
  },
  { what: "a comment alone", text: "# soon\n", says: "1:1 there is nothing in it" },
  { what: "a sentence", text: "hello\n", says: '1:1 "hello" is not right here: must be keys with values' },
  {
    what: "a version of tomorrow",
    text: good.replace("version: 1", "version: 2"),
    says: "1:10 2 is not right here: must be 1",
  },
  { what: "a list that is none", text: `${top}regions: 5\n`, says: "5 is not right here: must be a list" },
  {
    what: "a number as a command",
    text: good.replace("node server.js", "5"),
    says: "5 is not right here: must be text",
  },
  {
    what: "a size below one",
    text: good.replace("gate", "size: 0, gate"),
    says: "0 is not right here: must be at least 1",
  },
  {
    what: "a port that is none",
    text: good.replace("8101", "70000"),
    says: "70000 is not right here: must be at most 65535",
  },
  {
    what: "a second document",
    text: `${good}---\nmore: 1\n`,
    says: "6:1 a file is one document: remove this ---",
  },
  { what: "a key given twice", text: `${good}app: shop\n`, says: "6:1 this key stands above already" },
  { what: "a tab", text: "\tversion: 1\n", says: "1:1 a line is indented with spaces, not with tabs" },
  {
    what: "a trap",
    text: `${good}__proto__: { a: 1 }\n`,
    says: "6:1 the key __proto__ is not allowed anywhere",
  },
  { what: "one key that lacks", text: top, says: "1:1 regions is missing here" },
  {
    what: "several keys that lack",
    text: `${good}freeze: [{ cron: "* * *" }]\n`,
    says: "6:10 name, when, zone are missing here",
  },
])("$what is told where it is, in words of the file and not of a schema", ({ text, says }) => {
  expect(told(text)).toEqual([expect.stringContaining(says)])
})

it("however many keys are unknown, each is told, and none is taken for known", () => {
  const keys = Array.from({ length: 20 }, (_, i) => `x${i}`)
  const text = `${good}${keys.map((key) => `${key}: 1\n`).join("")}`
  expect(told(text)).toEqual(keys.map((key, i) => expect.stringContaining(`${6 + i}:1 unknown key "${key}"`)))
  const pins = `{${keys.map((key) => `${key}: 1`).join()}}`
  expect(pinsProblem(pins)).toContain('unknown key "x0"')
})

it("more mistakes than are told are refused", () => {
  const many = Array.from({ length: 5_000 }, (_, i) => `x${i}: 1\n`).join("")
  expect(told(`${good}${many}`)).toEqual([expect.stringContaining("1:1 this is not a configuration")])
})

it("mistakes are counted in good grammar", () => {
  const last = (text: string) => {
    const read = readPolicy(text, { file: "immunity.yaml", now: 0 })
    return printProblems("problems" in read ? read.problems : read.warnings, text)
      .split("\n")
      .at(-1)
  }
  expect(last("")).toBe("1 error, 0 warnings")
  expect(last(good.replace("app: papi", "app: 5").replace("8101", "0"))).toBe("2 errors, 0 warnings")
  expect(last(good.replace(", gate: button", ""))).toBe("0 errors, 1 warning")
})
