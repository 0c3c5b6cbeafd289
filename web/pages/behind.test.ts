import { expect, it, vi } from "vitest"
import { appView } from "../../src/api/views/app-view.ts"
import { rolloutView } from "../../src/api/views/rollout-view.ts"
import { printRollout } from "../../src/cli/print.ts"
import type { Application } from "../../src/core/pipeline/application.ts"
import { served } from "../../src/testing/core-stories.ts"
import { pages } from "../pages.tsx"

const usual: Application = {
  ...served().state,
  locks: [
    {
      id: 1,
      scope: { kind: "app" },
      at: 1,
      by: "Mira",
      because: "a look first",
      rollout: undefined,
      evidence: undefined,
    },
  ],
}
const ahead: Application = { ...usual, ahead: { at: 1, seen: ["papi-prod3-r9-1"], latest: 9 } }
const frame = { now: 1, killed: [], signedIn: true }
const verbsOn = (html: string) => [...html.matchAll(/\/do\/([a-z-]+)/g)].map(([, verb]) => verb)
const appPage = (state: Application) => pages.render("app", { ...frame, app: appView(state, 1, new Map()) })
const rolloutOf = (state: Application) => {
  const newest = Object.values(state.rollouts).at(-1)
  if (!newest) throw new Error("nothing served")
  return rolloutView(state, newest, [], [], [], 1)
}

it("while its servers are ahead the page offers no order but the one that is obeyed", () => {
  expect(verbsOn(appPage(usual))).toEqual(expect.arrayContaining(["drill", "unlock"]))
  expect(verbsOn(appPage(ahead))).toEqual(["resume"])
})

it("while its servers are ahead a rollout says so first, on its page and in the terminal, and offers nothing", () => {
  const view = rolloutOf(ahead)
  expect(view).toMatchObject({ actions: [], behind: expect.stringContaining("papi-prod3-r9-1") })
  const page = pages.render("rollout", { ...frame, rollout: view, app: appView(ahead, 1, new Map()) })
  expect(page).toContain("immunity resume papi --reason WHY")
  expect(page).not.toContain("You need to do nothing right now")
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true)
  printRollout(view)
  const said = write.mock.calls.join("")
  write.mockRestore()
  expect(said).toContain("ahead of this journal, which knows nothing of papi-prod3-r9-1")
  expect(rolloutOf(usual).behind).toBeUndefined()
})
