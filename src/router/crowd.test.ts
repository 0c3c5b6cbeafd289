import { describe, expect, it } from "vitest"
import { Crowd } from "./crowd.ts"

describe("a crowd", () => {
  it("holds who came and has not left, whoever leaves first", () => {
    const crowd = new Crowd<string>()
    const [a, b, c] = ["a", "b", "c"].map((one) => crowd.enter(one))
    crowd.leave(a)
    expect([...crowd].sort()).toEqual(["b", "c"])
    crowd.leave(c)
    const d = crowd.enter("d")
    expect([...crowd].sort()).toEqual(["b", "d"])
    crowd.leave(b)
    crowd.leave(d)
    expect(crowd.size).toBe(0)
  })

  it("takes no notice of somebody who leaves a second time", () => {
    const crowd = new Crowd<string>()
    const first = crowd.enter("first")
    crowd.enter("second")
    crowd.leave(first)
    crowd.leave(first)
    crowd.leave(undefined)
    expect([...crowd]).toEqual(["second"])
  })

  it("may be left while it is gone through", () => {
    const crowd = new Crowd<() => void>()
    const seen: number[] = []
    for (let n = 0; n < 5; n++) {
      const place = crowd.enter(() => {
        seen.push(n)
        crowd.leave(place)
      })
    }
    for (const leave of crowd) leave()
    expect(seen.sort()).toEqual([0, 1, 2, 3, 4])
    expect(crowd.size).toBe(0)
  })
})
