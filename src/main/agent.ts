import { existsSync, realpathSync } from "node:fs"
import { join, resolve } from "node:path"
import { artifactFolder, discard } from "../agent/artifacts.ts"
import { processSandbox } from "../agent/confine.ts"
import { travellingImages } from "../agent/images.ts"
import { runAgent } from "../agent/run-agent.ts"
import { severalRouters } from "../agent/several-routers.ts"
import { joinFleet, readIdentity } from "../agent/trust/identity.ts"
import { exit, Stop } from "../cli/client.ts"
import {
  dockerBuilder,
  objectionTo,
  processBuilder,
  provenancesIn,
  treesOfImages,
} from "../providers/builder/index.ts"
import { systemClock } from "../providers/clock/system.ts"
import { dockerCompute, processCompute, scriptCompute } from "../providers/compute/index.ts"
import { dockerEngine } from "../providers/engine/index.ts"
import { distributionRegistry } from "../providers/registry/index.ts"
import { routers } from "../providers/router/index.ts"
import type { ComputeChoice } from "./compute-choice.ts"
import { keyIn, makeFolder, ownArgv, passable, toolPath } from "./folders.ts"
import { program } from "./version.ts"

export type AgentOptions = {
  readonly dir: string
  readonly compute: ComputeChoice
  /** The most instances that may run on this server. */
  readonly mostInstances?: number | undefined
  readonly routerDir?: string | undefined
  readonly server?: string | undefined
}

/** Lets this machine join a control plane, then runs its agent. */
export async function joinAndStart(options: {
  readonly dir: string
  readonly to: string
  readonly token: string
  readonly address: string
  readonly compute: ComputeChoice
  readonly mostInstances?: number | undefined
}): Promise<void> {
  makeFolder(resolve(options.dir), passable())
  const identity = await joinFleet(options.dir, {
    control: options.to,
    token: options.token,
    address: options.address,
  }).catch((error: unknown) => {
    throw new Stop(exit.refused, error instanceof Error ? error.message : String(error))
  })
  process.stdout.write(
    `${identity.server} has joined ${identity.control} and answers at ${identity.address}; start it again with: immunity agent --dir ${options.dir}\n`,
  )
  const { dir, compute, mostInstances } = options
  await startAgent({ dir, compute, mostInstances })
}

/** Puts an agent together from its providers and runs it until it is told to end. */
export async function startAgent(options: AgentOptions): Promise<void> {
  const identity = await readIdentity(options.dir)
  const { routerDir } = options
  if (!identity && routerDir === undefined)
    throw new Stop(
      exit.usage,
      `${options.dir} holds no identity: let this server join first (immunity agent join), or name --router-dir for one that serves users itself`,
    )
  const dir = resolve(options.dir)
  makeFolder(dir, passable())
  for (const own of ["artifacts", "jobs", "logs", "sources"]) makeFolder(join(dir, own), 0o700)
  const path = toolPath()
  await runAgent({
    server: identity?.server ?? options.server ?? "local",
    identity,
    version: program(),
    mostInstances: options.mostInstances,
    dir: options.dir,
    clock: systemClock,
    sandbox: processSandbox,
    ...(await providersFor(options.compute, options.dir, path, identity && hostOf(identity.address))),
    routing: routerDir === undefined ? undefined : routingIn(routerDir),
    path,
  })
  // Streams of the instances stay open with them; nothing of ours is left to do.
  process.exit(0)
}

async function providersFor(choice: ComputeChoice, dir: string, path: string, host: string | undefined) {
  const [clock, sandbox] = [systemClock, processSandbox]
  const artifacts = artifactFolder(join(dir, "artifacts"))
  if (choice.kind !== "docker") {
    const driver = () => ({
      file: choice.kind === "script" ? choice.driver : "",
      dir: join(dir, "driver"),
      path,
    })
    return {
      artifacts,
      travelling: artifacts,
      builder: processBuilder({ sandbox, artifacts, path }),
      compute:
        choice.kind === "process"
          ? processCompute({ dir, artifacts, clock, path, host })
          : scriptCompute({ dir, driver: driver(), clock, artifactAt: artifacts.at, host }),
    }
  }
  const key = keyIn(dir)
  const provenances = provenancesIn(join(dir, "images"))
  // As engines tell it again, or a container would be called changed for its own folder.
  const handed = join(realpathSync(dir), "handed")
  const containers = dockerEngine({ socket: choice.socket, owner: key, host, handed })
  const { repository, login: loginFile } = choice.registry ?? {}
  const registry = distributionRegistry({ containers, provenances, repository, loginFile })
  const objection = objectionTo(provenances, containers, registry)
  const passing = join(dir, "images-passing")
  // What an agent that died had half brought.
  await discard(passing)
  return {
    artifacts: treesOfImages(provenances, artifacts),
    travelling: travellingImages({ dir: passing, containers, provenances, artifacts, registry }),
    builder: dockerBuilder({ sandbox, artifacts, path, containers, clock, provenances, registry }),
    compute: dockerCompute({ dir, handed, containers, clock, key, objection }),
  }
}

function routingIn(dir: string) {
  const haproxy = join(dir, "haproxy")
  return {
    dir,
    argv: ownArgv("router", "--dir", dir),
    open: () =>
      severalRouters("embedded", {
        embedded: { open: async () => routers.embedded({ dir }), wasUsed: true },
        haproxy: { open: () => routers.haproxy({ dir: haproxy }), wasUsed: existsSync(haproxy) },
      }),
  }
}

const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "")
