import { describe, expect, it } from "vitest"
import { CoreWorld, papiPolicy } from "../../testing/core-world.ts"
import type { ApiParts } from "../parts.ts"
import { listApps } from "./reads.ts"

/** Twelve applications at rest, one of them locked. */
function twelve(): ApiParts {
  const serving = new CoreWorld()
  serving.push("a", papiPolicy())
  serving.allTheWay()
  const locked = new CoreWorld()
  locked.give({ type: "lock", region: undefined, reason: "the database moves" })
  const states = new Map(
    Array.from({ length: 12 }, (_, i) => [`app-${i + 10}`, i === 7 ? locked.state : serving.state]),
  )
  const engine = { apps: () => [...states.keys()], state: (app: string) => states.get(app) }
  return { engine } as unknown as ApiParts
}

describe("the list of applications", () => {
  it("begins with those that need a person, and counts them over all pages", () => {
    const { apps, asking, total } = listApps(twelve(), { limit: "3" })
    expect(apps).toHaveLength(3)
    expect(apps[0]?.tone).toBe("bad")
    expect({ asking, total }).toEqual({ asking: 1, total: 12 })
  })

  it("goes on where a page ended, and shows each application once", () => {
    const parts = twelve()
    const sizes: number[] = []
    for (let after: string | undefined; ; ) {
      const page = listApps(parts, { limit: "5", ...(after ? { after } : {}) })
      sizes.push(page.apps.length)
      if (page.next === undefined) break
      after = page.next
    }
    expect(sizes).toEqual([5, 5, 2])
  })

  it("looks for a part of a name, and is all of it when no limit is given", () => {
    expect(listApps(twelve(), { q: "-2" }).total).toBe(2)
    expect(listApps(twelve()).apps).toHaveLength(12)
  })
})
