import { globSync, readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { addressOf, type ProblemCode, problems } from "./problems.ts"

const codes = Object.keys(problems) as readonly ProblemCode[]

it("every problem that is explained is one that somebody is told", () => {
  const files = globSync("src/{api,core,engine}/**/*.ts").filter(
    (file) => !/\.test\.ts$|api\/problems\.ts$|pipeline\/draft\.ts$/.test(file),
  )
  const text = files.map((file) => readFileSync(file, "utf8")).join("\n")
  expect(files.length).toBeGreaterThan(100)
  expect(codes.filter((code) => !text.includes(`"${code}"`))).toEqual([])
})

it("the address that an answer names is a place on the page", () => {
  expect(addressOf("wrong-phase")).toBe("/docs/problems#wrong-phase")
})

it("each says in whole sentences what it means and what to do", () => {
  for (const { means, next, status } of Object.values(problems)) {
    for (const sentence of [means, next]) expect(sentence).toMatch(/^[A-Za-z/].*\.$/)
    expect(status).toBeGreaterThanOrEqual(400)
  }
})
