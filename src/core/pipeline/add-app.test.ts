import { expect, it } from "vitest"
import { CoreWorld, papiPolicy } from "../../testing/core-world.ts"

const add = (world: CoreWorld, url: string) =>
  world.give({ type: "add-app", source: { url, branch: "main" } }, "Mira")

it("a look at the repository that it had is not taken in when it ends after another one was given", () => {
  const world = new CoreWorld()
  add(world, "/srv/git/papi.git")
  const { source } = world.state
  world.give({ type: "remove-app", reason: "the wrong one" })
  add(world, "/srv/git/other.git")
  world.push("a1", papiPolicy(), [], source)
  world.push("a1", papiPolicy(), [], { ...world.state.source, branch: "next" })
  expect(world.state.commits).toEqual([])
  world.push("a1", papiPolicy(), [], { ...world.state.source })
  expect(world.state.commits).toHaveLength(1)
})

it("a mistyped address may be given anew until a commit was read, and then stays", () => {
  const world = new CoreWorld()
  add(world, "/srv/git/papo.git")
  expect(add(world, "/srv/git/papo.git").refused?.message).toBe(
    "papi was added already, from /srv/git/papo.git",
  )
  expect(add(world, "/srv/git/papi.git").refused).toBeUndefined()
  expect(world.state.source.url).toBe("/srv/git/papi.git")
  world.push("a1", papiPolicy())
  expect(add(world, "/srv/git/other.git").refused?.message).toBe(
    "papi was added already, from /srv/git/papi.git",
  )
})

it("who deploys before any commit was read is told where to see why, and not to push a commit called none", () => {
  const world = new CoreWorld()
  add(world, "/srv/git/papi.git")
  const deploy = (commit?: string) => world.give({ type: "deploy", commit, reason: "now" }).refused?.message
  expect(deploy()).toBe(
    "no commit of main was read yet; push one, or see what keeps it from being read: immunity status papi",
  )
  expect(deploy("c0ffee")).toBe("c0ffee is not known on main; push it first")
})
