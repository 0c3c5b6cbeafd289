import { expect, it } from "vitest"
import type { CommitSource } from "../ports/source.ts"
import { papiPolicy } from "../testing/core-world.ts"
import { firstLook } from "./first-look.ts"
import type { Parts } from "./parts.ts"

const from = { url: "/srv/git/papi.git", branch: "main" }

/** What is found where the newest commit's immunity.yaml is read as `read`, or git fails. */
const look = (read: ReturnType<Parts["readPolicy"]> | Error) => {
  const source: CommitSource = {
    head: async () => {
      if (read instanceof Error) throw read
      return "a".repeat(40)
    },
    commits: async () => [],
    archive: () => Promise.reject(new Error("nobody asks for it")),
  }
  const readPolicy: Parts["readPolicy"] = () => {
    if (read instanceof Error) throw read
    return read
  }
  const policies = { get: async () => undefined, set: async () => undefined }
  const clock = { now: () => 0, mono: () => 0, sleep: async () => undefined }
  return firstLook({ source, readPolicy, policies, clock }, "papi", from)
}

it("whoever adds a repository is told what its newest commit is for, what it lacks, or why nobody can read it", async () => {
  expect(await look({ policy: papiPolicy() })).toEqual({ kind: "well" })
  expect(await look({ problems: ["says app: other"], meantFor: "other" })).toEqual({
    kind: "other-name",
    name: "other",
  })
  expect(await look({ problems: ["there is no immunity.yaml"] })).toEqual({
    kind: "not-yet",
    because: "its newest commit is refused: there is no immunity.yaml",
  })
  expect(await look(new Error("/srv/git/papi.git has no branch main"))).toEqual({
    kind: "not-yet",
    because: "it could not be read: /srv/git/papi.git has no branch main",
  })
})
