import { expect, it } from "vitest"
import { served } from "../../testing/core-stories.ts"
import { resumeView } from "./resume.ts"

it("who resumes an application that its servers are ahead of is told first what that brings back", () => {
  const { state } = served()
  expect(resumeView(state)).toBeUndefined()
  const ahead = { ...state, ahead: { at: 1, seen: ["papi-prod3-r9-1"], latest: 9 } }
  const said = resumeView(ahead)?.join("\n")
  expect(said).toContain("knows nothing of papi-prod3-r9-1")
  expect(said).toMatch(/prod3 gets [0-9a-f]{7}, which this journal says serves there/)
  expect(resumeView({ ...ahead, removed: { at: 1, by: "Mira", reason: "gone" } })?.at(-1)).toContain(
    "is ended",
  )
})

it("who resumes what a person paused is told who it was, and why", () => {
  const paused = { by: "Mira", reason: "the fair", at: 1 }
  expect(resumeView({ ...served().state, paused })).toEqual([
    "it is paused by Mira: the fair",
    "what waited goes on",
  ])
})
