import { expect, it } from "vitest"
import { CoreWorld } from "../testing/core-world.ts"
import type { Parts } from "./parts.ts"
import { newCommits } from "./poll.ts"

it("a commit that was seen bears the source that it was read from when the look began", async () => {
  const world = new CoreWorld()
  world.give({ type: "add-app", source: { url: "/srv/git/papi.git", branch: "main" } })
  const parts = {
    clock: { now: () => 1 },
    policies: { get: async () => undefined },
    readPolicy: () => ({ problems: ["none"] }),
    source: {
      head: async () => "c".repeat(40),
      commits: async () => [{ commit: "c".repeat(40), changed: [] }],
    },
  } as unknown as Parts
  const found = await newCommits(parts, world.state, AbortSignal.timeout(30_000))
  expect(found).toMatchObject([{ type: "commit-seen", source: { url: "/srv/git/papi.git", branch: "main" } }])
})
