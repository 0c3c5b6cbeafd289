import { describe, expect, it } from "vitest"
import { readLine } from "./line.ts"

const began = "1795249124447000"
const line = (rest: string) => readLine(`${began} d1 d1p0 ${rest}`)

describe("a line of HAProxy's log", () => {
  it("tells who answered, how, and how long it took", () => {
    expect(line("s7 200 -- 0 12500 - -")).toEqual({
      at: 1_795_249_124_447,
      door: 1,
      placement: 7,
      outcome: { bad: false, ms: 12.5 },
      failedBefore: 0,
      id: undefined,
      copy: undefined,
    })
  })

  it.each([
    ["an answer of the 5xx class", "s7 500 -- 0 900 - -", { bad: true, ms: 0.9 }],
    ["a refused connection", "s7 503 SC 0 - - -", { bad: true, ms: undefined }],
    ["an instance that did not answer in time", "s7 504 sH 0 - - -", { bad: true, ms: undefined }],
    ["an answer that broke off in the middle", "s7 200 SD 0 900 - -", { bad: true, ms: 0.9 }],
    ["a client that left before it was answered", "s7 -1 CH 0 - - -", "gone"],
    ["a client that left in the middle of its answer", "s7 200 CD 0 900 - -", { bad: false, ms: 0.9 }],
  ])("counts %s as what it is", (_what, text, outcome) => {
    expect(line(text)?.outcome).toEqual(outcome)
  })

  it("counts the attempts that failed before it was answered", () => {
    expect(line("s7 200 -- +2 900 - -")?.failedBefore).toBe(2)
    expect(line("s7 200 -- 1 900 - -")?.failedBefore).toBe(1)
  })

  it("holds what a copy needs, byte by byte", () => {
    const copy = "GET %2Fa%3Fb%3D%252F%C3%A9 shop.example%3A80 text%2Fhtml - curl%2F8 ."
    expect(line(`s7 200 -- 0 900 - ${copy}`)?.copy).toEqual({
      method: "GET",
      path: "/a?b=%2F\u00c3\u00a9",
      headers: { host: "shop.example:80", accept: "text/html", "user-agent": "curl/8" },
    })
  })

  it("makes no copy of a request that was too long for it", () => {
    expect(line("s7 200 -- 0 900 - GET %2Faaaaaaaaaaaa")?.copy).toBeUndefined()
  })

  it("counts for nobody when nobody was there, or when the next worker answered", () => {
    expect(readLine(`${began} d1 nobody <NOSRV> 503 LR 0 - - -`)?.placement).toBeUndefined()
    expect(readLine("- d1 next1 worker 200 -- 0 - - -")?.placement).toBeUndefined()
    expect(readLine("Proxy d1 started.")).toBeUndefined()
  })
})
