import { describe, expect, it } from "vitest"
import { atJsonPath, readJsonPath } from "./json-path.ts"

const at = (answer: unknown, path: string) => atJsonPath(answer, readJsonPath(path))

describe("a path into a JSON answer", () => {
  it("finds what stands there, in lists and objects", () => {
    expect(at({ data: [{ value: 7 }] }, "data.0.value")).toBe(7)
    expect(at({ "http.rate": [1, 2] }, "/http.rate/1")).toBe(2)
    expect(at({ "a/b~c": 0 }, "/a~1b~0c")).toBe(0)
  })

  it("finds nothing in an answer that is empty on the way", () => {
    for (const empty of [null, {}, [], { data: null }, { data: [] }, { data: [{ value: null }] }])
      expect(at(empty, "data.0.value"), JSON.stringify(empty)).toBeUndefined()
  })

  it("says what there is when it does not fit", () => {
    expect(() => at({ result: 1, status: "ok" }, "data.0.value")).toThrow(/it has result, status/)
    expect(() => at({ data: [1] }, "data.1")).toThrow(/data has 1 items/)
    expect(() => at({ data: 7 }, "data.value")).toThrow(/at data is 7/)
    expect(() => at({ data: [1] }, "data.length")).toThrow(/no data.length/)
    expect(() => readJsonPath("a..b")).toThrow(/not a path/)
  })
})
