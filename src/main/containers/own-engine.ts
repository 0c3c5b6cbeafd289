import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { promisify } from "node:util"
import { dockerEngine } from "../../providers/engine/index.ts"
import { whenInterrupted } from "../demo/interrupted.ts"
import { takeAway } from "../demo/leftovers.ts"
import { OwnDocker } from "./own-docker.ts"
import { OwnPodman } from "./own-podman.ts"
import type { StartedEngine } from "./started-engine.ts"

/** A container engine that was started for one purpose and goes without a trace. */
export type OwnEngine = Pick<StartedEngine, "socket" | "command" | "env"> & {
  readonly kind: "podman" | "docker"
  /** Removes every container and image of it, its mounts and its folder, waiting in place. */
  readonly close: () => void
}

const run = promisify(execFile)

/**
 * Starts an engine of our own in `dir`, which must be absolute and not exist yet: own storage, own network, own
 * socket, nothing of it shared with the machine's. A Podman; with `IMMUNITY_OWN_ENGINE=docker` in the environment a
 * Docker. `before`: words before the command, as to enter the network of another host. Answers why where none can run.
 * It goes when this program is interrupted.
 */
export async function startEngine(
  dir: string,
  before: readonly string[] = [],
): Promise<OwnEngine | { readonly impossible: string }> {
  const kind = process.env.IMMUNITY_OWN_ENGINE === "docker" ? "docker" : "podman"
  if (process.getuid?.() !== 0) return { impossible: `a ${kind} of our own needs root; this user is not` }
  const program = kind === "docker" ? "dockerd" : "podman"
  if ((await found(program)) === undefined)
    return {
      impossible: `there is no ${program} on this machine (scripts/setup.sh ${kind === "docker" ? "docker" : "containers"} installs it)`,
    }
  const engine =
    kind === "docker" ? new OwnDocker(dir, before) : new OwnPodman(dir, await found("runc"), before)
  const { socket, command, env } = engine
  const takeDown = () => {
    engine.end()
    takeAway(dir)
  }
  const isDown = whenInterrupted(takeDown)
  const close = () => {
    takeDown()
    isDown()
  }
  try {
    await engine.launch()
    await answered(engine)
    return { kind, socket, command, env, close }
  } catch (error) {
    const said = lastLine(engine.logFile)
    close()
    const because = error instanceof Error ? error.message : String(error)
    return { impossible: `${program} does not start here: ${because} ${said}`.trim() }
  }
}

async function answered(engine: StartedEngine): Promise<void> {
  const { socket } = engine
  const containers = dockerEngine({ socket, owner: "nobody" })
  for (let tries = 0; ; tries++) {
    const problem = await containers.version(AbortSignal.timeout(5_000)).then(
      () => undefined,
      (error: unknown) => error,
    )
    if (problem === undefined) return
    if (tries > 600 || engine.ended) throw problem
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function lastLine(file: string): string {
  try {
    return readFileSync(file, "utf8").trim().split("\n").at(-1) ?? ""
  } catch {
    return ""
  }
}

async function found(program: string): Promise<string | undefined> {
  const { stdout } = await run("sh", ["-c", `command -v ${program}`]).catch(() => ({ stdout: "" }))
  return stdout.trim() || undefined
}
