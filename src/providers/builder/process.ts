import { realpath } from "node:fs/promises"
import { join, sep } from "node:path"
import type { Artifacts } from "../../ports/artifacts.ts"
import type { Builder, Built } from "../../ports/builder.ts"
import type { Sandbox } from "../../ports/sandbox.ts"

/** Builds by a command in the tree at the commit; the output folder becomes the artifact. */
export function processBuilder(parts: {
  readonly sandbox: Sandbox
  readonly artifacts: Artifacts
  readonly path: string
}): Builder {
  return {
    async build(order, log, signal): Promise<Built> {
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
          return failed(`the build timed out after ${order.timeout / 1_000} s and was ended`)
        if (outcome.kind === "killed") return failed(`the build was ended by ${outcome.signal}`)
        if (outcome.code !== 0) return failed(`the build ended with exit code ${outcome.code}`)
      }
      try {
        // By its real path: a build may leave a link to a folder of this server in its place.
        const workspace = await realpath(order.workspace)
        const output = await realpath(join(workspace, order.output))
        if (output !== workspace && !output.startsWith(workspace + sep))
          return failed(`build.output ${order.output} lies outside of the workspace`)
        return { kind: "built", ...(await parts.artifacts.add(output)) }
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === "ENOENT" || code === "ENOTDIR") return failed(`the build left no folder ${order.output}`)
        return failed(error instanceof Error ? error.message : String(error))
      }
    },
  }
}

const failed = (because: string): Built => ({ kind: "failed", because })
