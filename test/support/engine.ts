import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { artifactFolder, discard } from "../../src/agent/artifacts.ts"
import { processSandbox } from "../../src/agent/confine.ts"
import type { Digest } from "../../src/core/model/ids.ts"
import { buildBaseImage } from "../../src/main/containers/base-image.ts"
import { startEngine } from "../../src/main/containers/own-engine.ts"
import { temporaryFolder } from "../../src/main/demo/leftovers.ts"
import { dockerBuilder, objectionTo, provenancesIn } from "../../src/providers/builder/index.ts"
import { systemClock } from "../../src/providers/clock/system.ts"
import { dockerCompute } from "../../src/providers/compute/index.ts"
import { dockerEngine } from "../../src/providers/engine/index.ts"
import { ask } from "../../src/providers/engine/wire.ts"
import { distributionRegistry } from "../../src/providers/registry/index.ts"
import { contractServer } from "../../src/testing/compute-world.ts"

const key = "abcdefabcdef"
const origin = { source: "https://git.example.com/shop/papi", committedAt: Date.UTC(2026, 10, 21, 9, 30) }
const soon = () => AbortSignal.timeout(600_000)

/**
 * A real engine for one test file, with an image of the contract's server that our builder built; what it builds goes
 * to a registry, where one is given.
 */
export async function realEngine(to?: { readonly repository: string; readonly login: string }) {
  const dir = temporaryFolder("immunity-engine")
  const engine = await startEngine(join(dir, "podman"))
  if ("impossible" in engine) {
    rmSync(dir, { recursive: true, force: true })
    // Never in silence: a test that did not run is not one that passed.
    process.stderr.write(`SKIPPED, no container engine can run here: ${engine.impossible}\n`)
    return undefined
  }
  const { socket } = engine
  const handed = join(dir, "handed")
  const containers = dockerEngine({ socket, owner: key, handed })
  const base = await buildBaseImage(socket)
  const images = join(dir, "images")
  const artifacts = artifactFolder(join(dir, "artifacts"))
  const parts = { sandbox: processSandbox, path: process.env.PATH ?? "", containers, artifacts }
  const provenances = provenancesIn(images)
  const loginFile = join(dir, "registry-login")
  if (to) writeFileSync(loginFile, `${to.login}\n`, { mode: 0o600 })
  const registry =
    to && distributionRegistry({ containers, provenances, repository: to.repository, loginFile })
  const builder = dockerBuilder({ ...parts, clock: systemClock, provenances, registry })
  let said = ""

  /** Builds the contract's server, or what is given instead; the digest, or why there is none. */
  const build = async (files: Readonly<Record<string, string>> = {}, commit = "a".repeat(40)) => {
    const workspace = mkdtempSync(join(dir, "tree-"))
    const all = {
      "server.js": contractServer,
      "papi.json": '{"flaw":"none"}',
      Dockerfile: `FROM ${base}\nWORKDIR /app\nCOPY server.js papi.json ./\n`,
      ...files,
    }
    for (const [name, text] of Object.entries(all)) writeFileSync(join(workspace, name), text)
    const scratch = mkdtempSync(join(dir, "scratch-"))
    const order = { job: "papi-build-1", commit, origin, workspace, scratch, command: undefined, output: "." }
    return builder.build(
      { ...order, network: "none", timeout: 600_000 },
      (chunk) => {
        said += Buffer.from(chunk).toString()
      },
      soon(),
    )
  }
  const command = (...args: readonly string[]) => {
    const [file, ...own] = engine.command
    return execFileSync(file, [...own, ...args], { env: engine.env, encoding: "utf8", stdio: "pipe" })
  }
  const built = await build()
  if (built.kind === "failed") throw new Error(built.because)
  mkdirSync(join(dir, "agents"))
  return {
    kind: engine.kind,
    socket,
    key,
    containers,
    artifacts,
    images,
    /** Where containers' configurations lie. */
    handed,
    base: `sha256:${base}` as Digest,
    digest: built.digest,
    build,
    registry,
    /** All that builds said. */
    said: () => said,
    /** A folder for an agent. */
    folder: () => mkdtempSync(join(dir, "agents", "agent-")),
    /** As somebody who holds the engine's socket. */
    ask: (method: "GET" | "POST" | "DELETE", path: string, body?: unknown) =>
      ask(socket, { method, path, body, signal: soon() }),
    /** As somebody with the engine's own command. */
    command,
    /** Takes every container away. */
    clear: () => {
      const all = command("ps", "--all", "--quiet")
        .split("\n")
        .filter((id) => id !== "")
      if (all.length > 0) command("rm", "--force", ...all)
    },
    close: async () => {
      engine.close()
      await discard(dir)
    },
  }
}

/** A second engine with storage of its own and nothing in it: the one of another server. */
export async function anotherEngine() {
  const dir = temporaryFolder("immunity-engine")
  const engine = await startEngine(join(dir, "podman"))
  if ("impossible" in engine) throw new Error(engine.impossible)
  const close = async () => {
    engine.close()
    await discard(dir)
  }
  return { socket: engine.socket, close }
}

export type RealEngine = NonNullable<Awaited<ReturnType<typeof realEngine>>>

/** The compute of an agent whose folder this is. */
export const computeOn = (
  { containers, key, images, handed }: Pick<RealEngine, "containers" | "key" | "images" | "handed">,
  dir: string,
) =>
  dockerCompute({
    dir,
    handed,
    containers,
    key,
    clock: systemClock,
    objection: objectionTo(provenancesIn(images), containers),
  })
