import { exit, Stop } from "../cli/client.ts"
import { executable } from "./executable.ts"

/** How instances run on a server, and with that what an artifact is: a folder, or an image. */
export type ComputeChoice =
  | { readonly kind: "process" }
  /** `socket`: where a Docker or Podman answers; nobody but the agent speaks with it. */
  | { readonly kind: "docker"; readonly socket: string }
  /** `driver`: an executable, by its absolute path, that runs them wherever it can. */
  | { readonly kind: "script"; readonly driver: string }

export type ComputeFlags = {
  readonly compute: string
  readonly engine: string
  readonly driver?: string
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
export function computeOf({ compute: kind, engine: socket, driver }: ComputeFlags): ComputeChoice {
  if (driver !== undefined && kind !== "script")
    throw new Stop(exit.usage, `--driver ${driver} goes with --compute script, and not with ${kind}`)
  if (kind === "process") return { kind }
  if (kind === "docker") return { kind, socket }
  if (kind !== "script")
    throw new Stop(
      exit.usage,
      `--compute ${kind} is no way to run instances; choose process, docker or script`,
    )
  if (driver === undefined)
    throw new Stop(exit.usage, "--compute script needs --driver FILE: an executable that runs instances")
  return { kind, driver: executable(driver) }
}

/** The same, as flags for an agent. */
export function computeFlags(choice: ComputeChoice | undefined): readonly string[] {
  if (choice?.kind === "docker") return ["--compute", "docker", "--engine", choice.socket]
  if (choice?.kind === "script") return ["--compute", "script", "--driver", choice.driver]
  return []
}
