import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { checkDriver, families } from "./check.ts"

const example = resolve("examples/drivers/processes/driver.mjs")

/** The example with one thing wrong, and the only rule family that should notice. */
const planted: readonly {
  readonly family: string
  readonly flaw: string
  readonly instead: readonly [from: string, to: string]
  readonly says: RegExp
}[] = [
  {
    family: "protocol",
    flaw: "it takes a document of any version",
    instead: ["if (order.version !== 1) refuse", "if (order.version === 0) refuse"],
    says: /exit code 0/,
  },
  {
    family: "protocol",
    flaw: "it claims more free memory than there is",
    instead: ["free: freemem()", "free: 2 * totalmem()"],
    says: /memory: \d+ are free of \d+/,
  },
  {
    family: "start",
    flaw: "it hands an environment over line by line",
    instead: [
      "...order.env,",
      "...Object.fromEntries(Object.entries(order.env).map(([key, value]) => [key, value.split('\\n')[0]])),",
    ],
    says: /exit 9/,
  },
  {
    family: "stop",
    flaw: "it never asks, it kills",
    instead: ['signal(record, "SIGTERM")', 'signal(record, "SIGKILL")'],
    says: /last words/,
  },
  {
    family: "end",
    flaw: "it calls every end a good one",
    instead: ["return by ? { signal: by } : { code }", "return { code: 0 }"],
    says: /7/,
  },
  {
    family: "survival",
    flaw: "its instances end with it",
    instead: [
      "  child.unref()",
      '  child.unref()\n  process.on("exit", () => process.kill(-child.pid, "SIGKILL"))',
    ],
    says: /waited 5 s for papi-prod-1 to answer/,
  },
  {
    family: "drift",
    flaw: "it never compares",
    instead: ["return found.slice(0, 100)", "return []"],
    says: /waited 5 s for the difference/,
  },
  {
    family: "refusal",
    flaw: "it does not stop whom it does not know",
    instead: ["if (!record) return {}", 'if (!record) refuse("who is that?")'],
    says: /who is that/,
  },
  {
    family: "forget",
    flaw: "it never forgets",
    instead: ["    discard(of(id))\n    return {}", "    return {}"],
    says: /papi-prod-1/,
  },
]

describe("a driver that somebody wrote", () => {
  let dir: string

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "immunity-drivers-"))
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  it("the example keeps every promise, and every one of them was asked for", async () => {
    const findings = await checkDriver({ file: example, only: [], patienceMs: 30_000 })
    expect(findings.filter(({ result }) => result !== "kept")).toEqual([])
    expect(new Set(findings.map(({ family }) => family))).toEqual(new Set(families))
  })

  it.each(planted)("is told what is wrong with it: $flaw", async ({ family, flaw, instead, says }) => {
    const file = join(dir, `${flaw.replaceAll(/\W+/g, "-")}.mjs`)
    const source = readFileSync(example, "utf8")
    expect(source).toContain(instead[0])
    writeFileSync(file, source.replace(...instead), { mode: 0o755 })
    const findings = await checkDriver({ file, only: [family], patienceMs: 5_000 })
    const broken = findings.filter(({ result }) => result === "broken")
    expect(broken.map(({ found }) => found).join("\n")).toMatch(says)
    for (const { because, advice } of broken) expect([because, advice]).not.toContain("")
  })

  it("every family has a flaw that it notices", () => {
    expect(new Set(planted.map(({ family }) => family))).toEqual(new Set(families))
  })

  it("that answers nothing is asked nothing more", async () => {
    const file = join(dir, "mute")
    writeFileSync(file, "#!/bin/sh\nexit 3\n", { mode: 0o755 })
    const findings = await checkDriver({ file, only: ["protocol", "start"], patienceMs: 2_000 })
    expect(findings.find(({ rule }) => rule.startsWith("says who it is"))).toMatchObject({
      result: "broken",
      found: expect.stringContaining("exit code 3"),
    })
    expect(findings.filter(({ family }) => family === "start").map(({ result }) => result)).toEqual(
      Array(4).fill("not-asked"),
    )
  })
})
