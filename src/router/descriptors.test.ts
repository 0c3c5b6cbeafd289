import { execFileSync } from "node:child_process"
import { describe, expect, it } from "vitest"
import { clientsWithin, mostDescriptors } from "./descriptors.ts"

describe("files that a router may open", () => {
  it("leave each client one for itself, one for its request and one to spare", () => {
    expect(clientsWithin(64 + 300)).toBe(100)
    expect(clientsWithin(10)).toBe(1)
  })

  it.runIf(process.platform === "linux")("are what the system allows this process", () => {
    const code = `import("${new URL("./descriptors.ts", import.meta.url)}").then((m) => console.log(m.mostDescriptors()))`
    const told = execFileSync("prlimit", ["--nofile=200:200", process.execPath, "-e", code], {
      encoding: "utf8",
    })
    expect(Number(told)).toBe(200)
    expect(mostDescriptors()).toBeGreaterThan(0)
  })
})
