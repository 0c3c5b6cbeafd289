import type { Artifacts } from "../../ports/artifacts.ts"
import type { Builder, Built } from "../../ports/builder.ts"
import { type CommandParts, runCommand } from "./command.ts"

/** Builds by a command in the tree at the commit; the output folder becomes the artifact. */
export function processBuilder(parts: CommandParts & { readonly artifacts: Artifacts }): Builder {
  return {
    async build(order, log, signal): Promise<Built> {
      const ran = await runCommand(parts, order, log, signal)
      if ("failed" in ran) return { kind: "failed", because: ran.failed }
      try {
        return { kind: "built", ...(await parts.artifacts.add(ran.output)) }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOTDIR")
          return { kind: "failed", because: `the build left no folder ${order.output}` }
        return { kind: "failed", because: error instanceof Error ? error.message : String(error) }
      }
    },
  }
}
