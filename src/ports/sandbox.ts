import type { Duration } from "../core/model/time.ts"

export type SandboxOrder = {
  /** Run through `sh -c`. */
  readonly command: string
  readonly cwd: string
  /** The whole environment; nothing else is inherited. */
  readonly env: Readonly<Record<string, string>>
  readonly timeout: Duration
  /** `none`: only a loopback of its own, where the machine allows that; the log says where it does not. */
  readonly network: "none" | "allowed"
}

export type SandboxOutcome =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "timed-out" }
  | { readonly kind: "killed"; readonly signal: string }

/** Runs a command that came from a repository: confined, limited, and nothing of it is left afterwards. */
export interface Sandbox {
  run(order: SandboxOrder, log: (chunk: Uint8Array) => void, signal: AbortSignal): Promise<SandboxOutcome>
}
