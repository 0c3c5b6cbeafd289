import { expect, it } from "vitest"
import { appView } from "../../src/api/views/app-view.ts"
import type { Application } from "../../src/core/pipeline/application.ts"
import { atProd3, served } from "../../src/testing/core-stories.ts"
import { verdict } from "../../src/testing/core-world.ts"
import { pages } from "../pages.tsx"

const viewOf = (app: Application) => appView(app, 1, new Map())

it("after a rollback the badge says that it is locked, its rollout that it was rolled back, its commit that it is blocked", () => {
  const { world, rollout, commit } = atProd3()
  world.look([verdict("worse", true)])
  world.settle()
  expect(rollout().phase.name).toBe("rolled-back")
  const view = viewOf(world.state)
  expect(view).toMatchObject({ tone: "bad", word: "Locked", sentence: expect.stringMatching(/^Locked: /) })
  expect(view.commits.find((known) => commit.startsWith(known.commit))?.state).toBe("blocked")
  const frame = { now: world.now, killed: [], signedIn: true }
  for (const html of [
    pages.render("app", { ...frame, app: view }),
    pages.render("apps", { ...frame, apps: [view], q: "", total: 1, asking: 1 }),
  ]) {
    expect(html).toMatch(/<span aria-hidden="true">✕<\/span> Locked/)
    expect(html).not.toMatch(/<\/span> Failed/)
  }
})

it("each application is called by what its sentence says first", () => {
  const { state } = served()
  const word = (app: Application) => viewOf(app).word
  expect(word(state)).toBe("Well")
  expect(word({ ...state, ahead: { at: 1, seen: [], latest: 9 } })).toBe("Held")
  expect(word({ ...state, removed: { at: 1, by: "Mira", reason: "gone" } })).toBe("Being removed")
  expect(word(atProd3().world.state)).toBe("Rolls out")
  const paused = viewOf({ ...state, paused: { at: 1, by: "Mira", reason: "an audit." } })
  expect(paused).toMatchObject({
    word: "Paused",
    sentence: expect.stringMatching(/^Paused by Mira: an audit; [0-9a-z]{7} is in production\.$/),
    todo: "Nothing new starts until somebody resumes it: immunity resume papi --reason WHY",
  })
  const down = state.regions.map((region) => ({ ...region, instances: {} }))
  expect(word({ ...state, regions: down })).toBe("Down")
})
