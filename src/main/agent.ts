import { existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { artifactFolder } from "../agent/artifacts.ts"
import { processSandbox } from "../agent/confine.ts"
import { runAgent } from "../agent/run-agent.ts"
import { severalRouters } from "../agent/several-routers.ts"
import { processBuilder } from "../providers/builder/index.ts"
import { systemClock } from "../providers/clock/system.ts"
import { processCompute } from "../providers/compute/index.ts"
import { routers } from "../providers/router/index.ts"
import { ownArgv, passable, toolPath } from "./folders.ts"

/** Puts an agent together from its providers and runs it until it is told to end. */
export async function startAgent(options: {
  readonly dir: string
  readonly routerDir: string
  readonly server: string
}): Promise<void> {
  mkdirSync(options.dir, { recursive: true, mode: passable() })
  for (const own of ["artifacts", "jobs", "logs", "sources"])
    mkdirSync(join(options.dir, own), { recursive: true, mode: 0o700 })
  const artifacts = artifactFolder(join(options.dir, "artifacts"))
  const path = toolPath()
  const haproxy = join(options.routerDir, "haproxy")
  await runAgent({
    server: options.server,
    dir: options.dir,
    clock: systemClock,
    artifacts,
    sandbox: processSandbox,
    builder: processBuilder({ sandbox: processSandbox, artifacts, path }),
    compute: processCompute({ dir: options.dir, artifacts, clock: systemClock, path }),
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
