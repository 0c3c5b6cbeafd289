import { existsSync } from "node:fs"
import { join } from "node:path"
import { exit, Stop } from "../../cli/client.ts"
import { ask } from "../../providers/engine/wire.ts"
import type { ComputeChoice } from "../compute-choice.ts"
import { buildBaseImage } from "../containers/base-image.ts"
import { startEngine } from "../containers/own-engine.ts"
import { processesOf, takeAway, temporaryFolder } from "./leftovers.ts"

/** What the instances of a demo stand on. */
export type Ground = {
  readonly compute: ComputeChoice
  /** The id of the image that its Dockerfile builds on; absent: there is no Dockerfile. */
  readonly base: string | undefined
  /** Where root of this machine finds the application's folder of an instance. */
  readonly filesOf: (serverDir: string, instance: string) => Promise<string>
  /** Takes down what was put up for the demo; what is left of it. */
  readonly close: () => Promise<readonly string[]>
}

const plain: Ground = {
  compute: { kind: "process" },
  base: undefined,
  filesOf: async (serverDir, instance) => join(serverDir, "agent", "run", instance, "app"),
  close: async () => [],
}

type Tell = (line: string) => void

/** Plain processes, or containers of a Podman that is started for this demo alone; or why that cannot be here. */
export async function groundFor(
  compute: string | undefined,
  tell: Tell,
): Promise<Ground | { readonly impossible: string }> {
  if (compute === undefined || compute === "process") return plain
  if (compute !== "docker")
    throw new Stop(exit.usage, `--compute ${compute} is no way to run instances; choose process or docker`)
  const folder = temporaryFolder("immunity-engine")
  const engine = await startEngine(join(folder, "podman"))
  if ("impossible" in engine) {
    takeAway(folder)
    return engine
  }
  const close = async () => {
    engine.close()
    takeAway(folder)
    return [...processesOf(folder).map(({ name }) => name), ...(existsSync(folder) ? [folder] : [])]
  }
  try {
    tell("a Podman of its own is up; the smallest image with Node is made, from this machine alone")
    const base = await buildBaseImage(engine.socket)
    const { socket } = engine
    return {
      compute: { kind: "docker", socket },
      base,
      filesOf: (_, instance) => mergedFolder(socket, instance),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** An overlay's merged folder is where root writes past a container that cannot write itself. */
async function mergedFolder(socket: string, instance: string): Promise<string> {
  const signal = AbortSignal.timeout(30_000)
  const get = (path: string) => ask(socket, { method: "GET", path, signal })
  const all = (await get("/containers/json")) as readonly { Id: string; Names: readonly string[] }[]
  const found = all.find(({ Names }) => Names.some((name) => name.endsWith(`-${instance}`)))
  if (!found) throw new Error(`the engine runs no container for ${instance}`)
  const inspected = (await get(`/containers/${found.Id}/json`)) as {
    readonly GraphDriver: { readonly Data: { readonly MergedDir?: string } }
  }
  const merged = inspected.GraphDriver.Data.MergedDir
  if (merged === undefined) throw new Error("this engine does not keep containers as overlays")
  return join(merged, "app")
}
