import { describe, expect, it } from "vitest"
import { CoreWorld, papiPolicy } from "../../testing/core-world.ts"
import { listsOf } from "../lists.ts"
import type { ApiParts } from "../parts.ts"
import { type ListQuery, listApps } from "./reads.ts"

/** Twelve applications at rest, one of them locked. */
function twelve() {
  const serving = new CoreWorld()
  serving.push("a", papiPolicy())
  serving.allTheWay()
  const locked = new CoreWorld()
  locked.give({ type: "lock", region: undefined, reason: "the database moves" })
  const states = new Map(
    Array.from({ length: 12 }, (_, i) => [`app-${i + 10}`, i === 7 ? locked.state : serving.state]),
  )
  const opened: string[] = []
  const engine = {
    apps: () => [...states.keys()],
    version: (app: string) => versions.get(app) ?? 1,
    problems: () => new Map(),
    state: (app: string) => {
      opened.push(app)
      return states.get(app)
    },
  }
  const versions = new Map<string, number>()
  const parts = { engine, clock: { mono: () => 0 } } as unknown as ApiParts
  const lists = listsOf(parts)
  return { list: (query?: ListQuery) => listApps(parts, lists, query), opened, versions, states, locked }
}

describe("the list of applications", () => {
  it("begins with those that need a person, and counts them over all pages", async () => {
    const { apps, asking, total } = await twelve().list({ limit: "3" })
    expect(apps).toHaveLength(3)
    expect(apps[0]?.tone).toBe("bad")
    expect({ asking, total }).toEqual({ asking: 1, total: 12 })
  })

  it("goes on where a page ended, and shows each application once", async () => {
    const { list } = twelve()
    const sizes: number[] = []
    for (let after: string | undefined; ; ) {
      const page = await list({ limit: "5", ...(after ? { after } : {}) })
      sizes.push(page.apps.length)
      if (page.next === undefined) break
      after = page.next
    }
    expect(sizes).toEqual([5, 5, 2])
  })

  it("looks for a part of a name, and is all of it when no limit is given", async () => {
    expect((await twelve().list({ q: "-2" })).total).toBe(2)
    expect((await twelve().list()).apps).toHaveLength(12)
  })

  it("looks again at those of which something was stored, and opens no other", async () => {
    const { list, opened, versions, states, locked } = twelve()
    await list({ limit: "1" })
    states.set("app-20", locked.state)
    versions.set("app-20", 2)
    opened.length = 0
    const { asking } = await list({ limit: "1" })
    expect(asking).toBe(2)
    expect(new Set(opened)).toEqual(new Set(["app-17", "app-20"]))
  })
})
