import { realpath } from "node:fs/promises"
import { join, sep } from "node:path"
import type { BuildOrder } from "../../ports/builder.ts"
import type { Sandbox } from "../../ports/sandbox.ts"

export type CommandParts = { readonly sandbox: Sandbox; readonly path: string }

/** Runs the build's command, confined, and answers the real path of its output; or why there is none. */
export async function runCommand(
  parts: CommandParts,
  order: BuildOrder,
  log: (chunk: Uint8Array) => void,
  signal: AbortSignal,
): Promise<{ readonly output: string } | { readonly failed: string }> {
  if (order.command !== undefined) {
    const outcome = await parts.sandbox.run(
      {
        command: order.command,
        cwd: order.workspace,
        env: {
          PATH: parts.path,
          HOME: order.scratch,
          TMPDIR: order.scratch,
          CI: "true",
          IMMUNITY_COMMIT: order.commit,
        },
        timeout: order.timeout,
        network: order.network,
      },
      log,
      signal,
    )
    if (outcome.kind === "timed-out")
      return { failed: `the build timed out after ${order.timeout / 1_000} s and was ended` }
    if (outcome.kind === "killed") return { failed: `the build was ended by ${outcome.signal}` }
    if (outcome.code !== 0) return { failed: `the build ended with exit code ${outcome.code}` }
  }
  try {
    // By its real path: a build may leave a link to a folder of this server in its place.
    const workspace = await realpath(order.workspace)
    const output = await realpath(join(workspace, order.output))
    if (output === workspace || output.startsWith(workspace + sep)) return { output }
    return { failed: `build.output ${order.output} lies outside of the workspace` }
  } catch {
    return { failed: `the build left no folder ${order.output}` }
  }
}
