import { execFile, execFileSync } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { afterAll, describe, expect, it } from "vitest"
import { type OwnEngine, startEngine } from "./own-engine.ts"

const run = promisify(execFile)
const dir = mkdtempSync(join(tmpdir(), "immunity-own-podman-"))
const engines: OwnEngine[] = []
const tree = treeOf("/bin/sleep")
afterAll(() => {
  for (const engine of engines) engine.close()
  rmSync(dir, { recursive: true, force: true })
})

let impossible = process.env.IMMUNITY_OWN_ENGINE === "docker" ? "Docker was asked for" : undefined
for (const name of impossible === undefined ? ["one", "other"] : []) {
  const engine = await startEngine(join(dir, name))
  if ("impossible" in engine) impossible = engine.impossible
  else engines.push(engine)
}
if (impossible !== undefined) process.stderr.write(`SKIPPED, no two Podmans can run here: ${impossible}\n`)

describe.skipIf(impossible !== undefined)("two Podmans of our own on one host", () => {
  const [one, other] = engines as [OwnEngine, OwnEngine]

  it("leave each other's way out alone when a container ends", async () => {
    await start(one, "first", 1)
    await start(other, "second", 1)
    const before = rulesOf(other)
    expect(before.length).toBeGreaterThan(2)
    expect(await end(one, "first")).toBe("")
    expect(rulesOf(one)).toEqual([])
    expect(rulesOf(other)).toEqual(before)
    expect(await end(other, "second")).toBe("")
    expect(rulesOf(other)).toEqual([])
  })

  it("change the host's firewall one after the other", async () => {
    // Whether a change of one meets one of the other is chance: without the lock it is refused once in twelve.
    const rounds = engines.map(async (engine) => {
      for (let round = 0; round < 2; round++) {
        await start(engine, `round-${round}`, 2)
        expect(await end(engine, `round-${round}`)).toBe("")
      }
    })
    await Promise.all(rounds)
    const locks = ["one", "other"].map((name) => realpathSync(join(dir, name, "net", "netavark.lock")))
    expect(locks[0]).toBe(locks[1])
  })
})

/** A container with nothing but a program that waits, and ports of 127.0.0.1. */
async function start(engine: OwnEngine, name: string, ports: number): Promise<void> {
  const publish = Array.from({ length: ports }, (_, at) => ["--publish", `127.0.0.1::${8080 + at}`]).flat()
  await podman(engine, "run", "--detach", "--name", name, ...publish, "--rootfs", tree, "/bin/sleep", "600")
}

/** What it complained about. */
async function end(engine: OwnEngine, name: string): Promise<string> {
  return (await podman(engine, "rm", "--force", "--time", "0", name)).stderr
}

function podman({ command: [file, ...own], env }: OwnEngine, ...args: readonly string[]) {
  return run(file, [...own, ...args], { env })
}

/** The firewall's rules for the network of an engine. */
function rulesOf(engine: OwnEngine): readonly string[] {
  const [file, ...own] = engine.command
  const ask = (...args: readonly string[]) =>
    execFileSync(file, [...own, "network", ...args], { env: engine.env, encoding: "utf8" }).trim()
  const subnet = ask(
    "inspect",
    ask("ls", "--format", "{{.Name}}"),
    "--format",
    "{{(index .Subnets 0).Subnet}}",
  )
  const prefix = subnet.replace(/0\/24$/, "")
  const rules = execFileSync("iptables-save", ["--table", "nat"], { encoding: "utf8" })
  const lines = rules.split("\n")
  const chain = lines.find((rule) => rule.startsWith(`-A POSTROUTING -s ${subnet} `))?.match(/-j (\S+)/)?.[1]
  return lines.filter((rule) => rule.includes(prefix) || rule.startsWith(`-A ${chain} `))
}

/** A folder with all that a program needs. */
function treeOf(program: string): string {
  const folder = join(dir, "tree")
  for (const made of ["proc", "sys", "dev", "tmp", "run", "etc"])
    mkdirSync(join(folder, made), { recursive: true })
  const linked = execFileSync("ldd", [program], { encoding: "utf8" }).match(/\/\S+/g) ?? []
  for (const file of [program, ...linked]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    copyFileSync(file, join(folder, file))
  }
  return folder
}
