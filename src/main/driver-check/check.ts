import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { artifactFolder, discard } from "../../agent/artifacts.ts"
import { systemClock } from "../../providers/clock/system.ts"
import { callDriver, type Driver } from "../../providers/compute/driver-call.ts"
import type { Answer } from "../../providers/compute/driver-wire.ts"
import { scriptCompute } from "../../providers/compute/index.ts"
import { type ComputeRule, computeRules } from "../../testing/compute-rules.ts"
import { ComputeWorld, contractServer } from "../../testing/compute-world.ts"
import { toolPath } from "../folders.ts"
import { protocolRules } from "./protocol-rules.ts"

export type CheckOptions = {
  /** An executable, by its absolute path. */
  readonly file: string
  /** Only rules of these families; all when empty. */
  readonly only: readonly string[]
  /** How long anything may take, in ms. */
  readonly patienceMs: number
}

export type Finding = {
  readonly family: string
  readonly rule: string
  readonly result: "kept" | "broken" | "not-asked"
  /** What was found instead, or why it was not asked. */
  readonly found?: string | undefined
  readonly because: string
  readonly advice: string
}

export const families = ["protocol", ...new Set(computeRules.map(({ family }) => family))]

/** Asks a driver for every promise, one after the other, in folders of its own; nothing is left of it. */
export async function checkDriver(
  options: CheckOptions,
  tell: (finding: Finding) => void = () => undefined,
): Promise<readonly Finding[]> {
  const chosen = (family: string) => options.only.length === 0 || options.only.includes(family)
  const dir = mkdtempSync(join(tmpdir(), "immunity-driver-"))
  const driver: Driver = {
    file: options.file,
    dir: join(dir, "driver"),
    path: toolPath(),
    patienceMs: options.patienceMs,
  }
  mkdirSync(driver.dir, { mode: 0o700 })
  const findings: Finding[] = []
  const note = (finding: Finding) => {
    findings.push(finding)
    tell(finding)
  }
  try {
    for (const { title, because, advice, keep } of chosen("protocol") ? protocolRules : [])
      note({ family: "protocol", rule: title, because, advice, ...(await tried(() => keep(driver))) })
    const rules = computeRules.filter(({ family }) => chosen(family))
    const told = await callDriver(driver, "capabilities", {}, soon()).catch(() => undefined)
    if (told) for (const rule of rules) note(await asked(rule, await worldOf(dir, driver, told, options)))
    else for (const rule of rules) note(unasked(rule, "it does not answer `capabilities`"))
  } finally {
    await discard(dir)
  }
  return findings
}

async function asked(rule: ComputeRule, world: ComputeWorld): Promise<Finding> {
  const cannot = rule.cannot?.(world)
  if (cannot !== undefined) return unasked(rule, cannot)
  const { family, title, because, advice } = rule
  const found = await tried(() => rule.keep(world))
  const left = await tried(() => world.clear())
  const result = found.result === "broken" ? found : left
  return { family, rule: title, because, advice, ...result }
}

const unasked = ({ family, title, because, advice }: ComputeRule, found: string): Finding => ({
  family,
  rule: title,
  result: "not-asked",
  found,
  because,
  advice,
})

async function tried(
  act: () => Promise<void>,
): Promise<{ readonly result: "kept" } | { readonly result: "broken"; readonly found: string }> {
  try {
    await act()
    return { result: "kept" }
  } catch (error) {
    return { result: "broken", found: error instanceof Error ? error.message : String(error) }
  }
}

const soon = () => AbortSignal.timeout(60_000)

/** Each rule has an agent's folder of its own, so that no log is mistaken for an earlier one. */
async function worldOf(
  root: string,
  driver: Driver,
  { verbs, memory, differences }: Answer<"capabilities">,
  { patienceMs }: CheckOptions,
): Promise<ComputeWorld> {
  const dir = mkdtempSync(join(root, "agent-"))
  const tree = join(dir, "tree")
  mkdirSync(tree)
  writeFileSync(join(tree, "server.js"), contractServer)
  writeFileSync(join(tree, "papi.json"), '{"flaw":"none"}')
  const artifacts = artifactFolder(join(dir, "artifacts"))
  const { digest } = await artifacts.add(tree)
  const open = () =>
    scriptCompute({ dir, driver, clock: systemClock, artifactAt: artifacts.at, lookEveryMs: 200 })
  const edit = async (id: string, file: string, text: string) => {
    await callDriver(driver, "edit", { id, file, text }, soon())
  }
  return new ComputeWorld({
    compute: open(),
    digest,
    reopen: open,
    edit: verbs.includes("edit") ? edit : undefined,
    log: (id) => readFileSync(join(dir, "logs", `${id}.log`), "utf8"),
    close: async () => undefined,
    reach: /^\S+:\d+$/,
    blindTo: { memory: !memory, differences: !differences },
    patienceMs,
  })
}
