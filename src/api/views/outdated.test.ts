import { expect, it } from "vitest"
import { outdated } from "./outdated.ts"

const program = "0.2.0 on Node 24.21.0"

it("an agent of this very program is no matter", () => {
  expect(outdated({ version: program, pid: 4711 }, program, true)).toBeUndefined()
})

it("an agent that outlived an upgrade is told, with what to do and what goes on meanwhile", () => {
  const told = outdated({ version: "0.1.0 on Node 24.21.0", pid: 4711 }, program, true)
  expect(told?.says).toBe("its agent runs 0.1.0 on Node 24.21.0, this control plane 0.2.0 on Node 24.21.0")
  expect(told?.next).toMatch(/end the agent's process alone \(kill 4711\): it is started again at once/)
  expect(outdated({ version: "0.1.0" }, program, true)?.next).toMatch(/end the agent's process: it is/)
})

it("an agent of another server is started again by whoever runs that server", () => {
  expect(outdated({ pid: 7 }, program, false)).toMatchObject({
    says: "its agent runs an unknown version, this control plane 0.2.0 on Node 24.21.0",
    next: expect.stringMatching(/^when nothing is built or tested there, install 0\.2\.0/),
  })
})

it("a newer agent is not told to go back, but the control plane to follow", () => {
  const told = outdated({ version: "0.10.0 on Node 24.21.0" }, program, false)
  expect(told).toMatchObject({
    kind: "newer",
    next: expect.stringMatching(/^upgrade this control plane to 0\.10\.0/),
  })
  expect(outdated({ version: "0.2.0 on Node 26.0.0" }, program, false)?.kind).toBe("newer")
})

it("an older agent, an older Node and one that cannot be read are a problem, another patch of Node is none", () => {
  const kind = (version: string) => outdated({ version }, program, true)?.kind
  expect(kind("0.1.9 on Node 26.0.0")).toBe("older")
  expect(kind("0.2.0 on Node 24.9.0")).toBe("older")
  expect(kind("0.2.0")).toBe("older")
  expect(kind("0.2.0 on Node 24.21.3")).toBe("patch")
  expect(kind("0.2.0 on Node 24.21.0-rc")).toBe("patch")
  expect(kind("0.2.0+linux on Node 24.21.0")).toBe("patch")
})

it("what leads up to a release is older than the release, and newer than the one before", () => {
  const kind = (version: string, of = program) => outdated({ version }, of, true)?.kind
  expect(kind("0.2.0-rc.1 on Node 24.21.0")).toBe("older")
  expect(kind("0.2.0-rc.10 on Node 24.21.0", "0.2.0-rc.9 on Node 24.21.0")).toBe("newer")
  expect(kind(program, "0.2.0-rc.1 on Node 24.21.0")).toBe("newer")
  expect(kind("0.3.0-rc.1 on Node 24.21.0")).toBe("newer")
})
