import { existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { artifactFolder } from "../agent/artifacts.ts"
import { processSandbox } from "../agent/confine.ts"
import { runAgent } from "../agent/run-agent.ts"
import { severalRouters } from "../agent/several-routers.ts"
import { dockerBuilder, objectionTo, processBuilder, treesOfImages } from "../providers/builder/index.ts"
import { systemClock } from "../providers/clock/system.ts"
import { dockerCompute, processCompute } from "../providers/compute/index.ts"
import { dockerEngine } from "../providers/engine/index.ts"
import { routers } from "../providers/router/index.ts"
import { keyIn, ownArgv, passable, toolPath } from "./folders.ts"

/** How instances run on a server, and with that what an artifact is: a folder, or an image. */
export type ComputeChoice =
  | { readonly kind: "process" }
  /** `socket`: where a Docker or Podman answers; nobody but the agent speaks with it. */
  | { readonly kind: "docker"; readonly socket: string }

/** Puts an agent together from its providers and runs it until it is told to end. */
export async function startAgent(options: {
  readonly dir: string
  readonly routerDir: string
  readonly server: string
  readonly compute: ComputeChoice
}): Promise<void> {
  mkdirSync(options.dir, { recursive: true, mode: passable() })
  for (const own of ["artifacts", "jobs", "logs", "sources"])
    mkdirSync(join(options.dir, own), { recursive: true, mode: 0o700 })
  const path = toolPath()
  const haproxy = join(options.routerDir, "haproxy")
  await runAgent({
    server: options.server,
    dir: options.dir,
    clock: systemClock,
    sandbox: processSandbox,
    ...providersFor(options.compute, options.dir, path),
    openRouters: () =>
      severalRouters("embedded", {
        embedded: { open: async () => routers.embedded({ dir: options.routerDir }), wasUsed: true },
        haproxy: { open: () => routers.haproxy({ dir: haproxy }), wasUsed: existsSync(haproxy) },
      }),
    path,
    routerDir: options.routerDir,
    routerArgv: ownArgv("router", "--dir", options.routerDir),
  })
  // Streams of the instances stay open with them; nothing of ours is left to do.
  process.exit(0)
}

function providersFor(choice: ComputeChoice, dir: string, path: string) {
  const [clock, sandbox] = [systemClock, processSandbox]
  const artifacts = artifactFolder(join(dir, "artifacts"))
  if (choice.kind === "process") {
    const builder = processBuilder({ sandbox, artifacts, path })
    return { artifacts, builder, compute: processCompute({ dir, artifacts, clock, path }) }
  }
  const key = keyIn(dir)
  const images = join(dir, "images")
  const containers = dockerEngine({ socket: choice.socket, owner: key })
  const objection = objectionTo(images, containers)
  return {
    artifacts: treesOfImages(images, artifacts),
    builder: dockerBuilder({ sandbox, artifacts, path, containers, clock, dir: images }),
    compute: dockerCompute({ dir, containers, clock, key, objection }),
  }
}
