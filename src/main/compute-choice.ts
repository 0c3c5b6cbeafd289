import { resolve } from "node:path"
import { exit, Stop } from "../cli/client.ts"
import { executable } from "./executable.ts"

/** How instances run on a server, and with that what an artifact is: a folder, or an image. */
export type ComputeChoice =
  | { readonly kind: "process" }
  /** `socket`: where a Docker or Podman answers; nobody but the agent speaks with it. */
  | { readonly kind: "docker"; readonly socket: string; readonly registry?: RegistryChoice | undefined }
  /** `driver`: an executable, by its absolute path, that runs them wherever it can. */
  | { readonly kind: "script"; readonly driver: string }

/** Where images go that are built here; `login`: a file with user:password. */
export type RegistryChoice = { readonly repository: string; readonly login?: string | undefined }

export type ComputeFlags = {
  readonly compute: string
  readonly engine: string
  readonly driver?: string
  readonly registry?: string
  readonly registryLogin?: string
  readonly mostInstances?: string
}

/** What `--most-instances` says. */
export function mostOf({ mostInstances: text }: ComputeFlags): number | undefined {
  if (text === undefined) return undefined
  const most = Number(text)
  if (!Number.isInteger(most) || most < 1)
    throw new Stop(exit.usage, `--most-instances ${text} is not a whole number above 0`)
  return most
}

/** What the flags of `serve` and `agent` say. */
export function computeOf(flags: ComputeFlags): ComputeChoice {
  const { compute: kind, engine: socket, driver } = flags
  const registry = registryOf(flags)
  if (driver !== undefined && kind !== "script")
    throw new Stop(exit.usage, `--driver ${driver} goes with --compute script, and not with ${kind}`)
  if (kind === "process") return { kind }
  if (kind === "docker") return { kind, socket, registry }
  if (kind !== "script")
    throw new Stop(
      exit.usage,
      `--compute ${kind} is no way to run instances; choose process, docker or script`,
    )
  if (driver === undefined)
    throw new Stop(exit.usage, "--compute script needs --driver FILE: an executable that runs instances")
  return { kind, driver: executable(driver) }
}

function registryOf({ compute, registry, registryLogin }: ComputeFlags): RegistryChoice | undefined {
  if (registry === undefined) {
    if (registryLogin === undefined) return undefined
    throw new Stop(exit.usage, `--registry-login ${registryLogin} goes with --registry`)
  }
  if (compute !== "docker")
    throw new Stop(exit.usage, `--registry ${registry} goes with --compute docker, and not with ${compute}`)
  // A first part without a dot or a port is no host to engines, but a folder on Docker Hub.
  if (
    !/^(localhost|[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+|[a-zA-Z0-9.-]+:\d{1,5})(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+$/.test(
      registry,
    )
  )
    throw new Stop(
      exit.usage,
      `--registry ${registry} names no repository; it is a host and a path, such as registry.example.com:5000/team/images`,
    )
  return { repository: registry, login: registryLogin && resolve(registryLogin) }
}

/** The same, as flags for an agent. */
export function computeFlags(choice: ComputeChoice | undefined): readonly string[] {
  if (choice?.kind === "docker") {
    const { repository, login } = choice.registry ?? {}
    return [
      ...["--compute", "docker", "--engine", choice.socket],
      ...(repository === undefined ? [] : ["--registry", repository]),
      ...(login === undefined ? [] : ["--registry-login", login]),
    ]
  }
  if (choice?.kind === "script") return ["--compute", "script", "--driver", choice.driver]
  return []
}
