import { expect, it } from "vitest"
import { newest, served } from "../../testing/core-stories.ts"
import { CoreWorld, papiPolicy } from "../../testing/core-world.ts"
import { appSummary, appView } from "./app-view.ts"

const summary = ({ state }: CoreWorld, problems: readonly (readonly [string, string])[] = []) =>
  appSummary(state, new Map(problems))

const refuse = (world: CoreWorld, id: string, problems: readonly string[]): void => {
  const commit = id.padEnd(40, "0")
  const told = { subject: `change ${id}`, author: "Ana", email: "ana@example.com" }
  world.give(
    { type: "commit-seen", commit, ...told, committedAt: world.now, changed: [], config: { problems } },
    "immunity",
  )
}

it("whoever asks how an application stands is told that its newest commit is refused, why, and what to do", () => {
  const world = new CoreWorld()
  world.give({ type: "add-app", source: { url: "/srv/papi.git", branch: "main" } }, "Mira")
  expect(summary(world).sentence).toBe("No commit of main was read yet; nothing is in production yet.")
  refuse(world, "b2", ["there is no immunity.yaml at this commit; write one with: immunity init"])
  expect(summary(world)).toMatchObject({
    tone: "wait",
    sentence:
      'Nothing moves; nothing is in production yet, and the newest commit b200000 "change b2" is refused: there is no immunity.yaml at this commit.',
    todo: expect.stringMatching(
      /^What runs stays as it is\. Write one with: immunity init\. Mend immunity\.yaml/,
    ),
  })
})

it("what runs in production is told beside the commit that is refused, until a commit can be read again", () => {
  const world = served()
  refuse(world, "b2", ["immunity.yaml:3:1 C101 unknown key", "immunity.yaml:9:1 C103 no duration"])
  expect(summary(world)).toMatchObject({
    tone: "wait",
    sentence:
      'Nothing moves; a100000 is in production, and the newest commit b200000 "change b2" is refused: immunity.yaml:3:1 C101 unknown key (and 1 more).',
  })
  world.push("c3", papiPolicy())
  world.turn()
  expect(summary(world).sentence).not.toContain("b200000")
  refuse(world, "d4", ["immunity.yaml:3:1 C101 unknown key"])
  expect(summary(world)).toMatchObject({
    tone: "busy",
    todo: expect.stringMatching(/Besides, the newest commit d400000 .* is refused/),
  })
})

it("a newest commit that did not build, and one that was blocked, are told as well", () => {
  const world = served()
  world.push("b2", papiPolicy())
  const { state } = world.state.commits.at(-1) ?? {}
  const job = state?.name === "building" ? state.job : ""
  world.give({ type: "job-ended", job, outcome: { kind: "failed", because: "no such file" } }, "immunity")
  expect(summary(world)).toMatchObject({
    sentence: expect.stringMatching(
      /a100000 is in production, and the newest commit b200000 .* could not be built: no such file/,
    ),
    todo: expect.stringContaining(`immunity logs ${job}`),
  })
  world.faults = { failingTests: new Set(["c3".padEnd(40, "0")]) }
  world.push("c3", papiPolicy())
  world.settle()
  const { number } = newest(world, "sandbox1")
  expect(appView(world.state, 1, new Map())).toMatchObject({
    tone: "wait",
    sentence: expect.stringMatching(/the newest commit c300000 .* is blocked: /),
    todo: expect.stringContaining(`immunity why papi#${number}`),
  })
})

it("a repository that cannot be read is told, and what to do while nothing was read of it yet", () => {
  const world = new CoreWorld()
  world.give({ type: "add-app", source: { url: "/srv/papo.git", branch: "main" } }, "Mira")
  const unread = [["source", "/srv/papo.git is no repository."]] as const
  expect(summary(world, unread)).toMatchObject({
    sentence:
      "Nothing moves; nothing is in production yet, and its repository cannot be read: /srv/papo.git is no repository.",
    todo: "Mend that, or give another address: immunity app add URL --name papi",
  })
  expect(summary(served(), unread).todo).toMatch(/^What runs stays as it is; new commits come/)
})

it("where no region counts as production, what the last one serves is told", () => {
  const { regions } = papiPolicy()
  const plain = regions.map((region) => ({ ...region, production: false }))
  expect(summary(served(papiPolicy({ regions: plain }))).sentence).toBe(
    "Nothing moves; a100000 serves at prod4.",
  )
})
