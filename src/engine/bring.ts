import type { Digest } from "../core/model/ids.ts"
import type { Agent } from "../ports/agent.ts"
import type { Fence } from "../ports/router.ts"
import type { Parts } from "./parts.ts"

/** For one artifact from one server to another, in milliseconds. */
const patience = 120_000

/**
 * Sees to it that a server has an artifact before something is started from it: an artifact is on the server that
 * built it, and comes to others from one that has it, through here. Does nothing where there is one server.
 * Throws, with a sentence, when nobody who answers has it.
 */
export async function bring(
  { agents, pace }: Pick<Parts, "agents" | "pace">,
  fence: Fence,
  digest: Digest,
  to: Agent,
  signal: AbortSignal,
): Promise<void> {
  if (agents.size === 1 || !to.putArtifact) return
  const asked = () => AbortSignal.any([signal, AbortSignal.timeout(pace.call)])
  if (await to.hasArtifact?.(digest, asked())) return
  const others = [...agents.values()].filter((agent) => agent !== to)
  const have = await Promise.all(
    others.map((agent) => agent.hasArtifact?.(digest, asked()).catch(() => false) ?? false),
  )
  const limit = AbortSignal.any([signal, AbortSignal.timeout(patience)])
  const from = others.find((_, at) => have[at])
  const tar = await from?.getArtifact?.(digest, limit)
  if (!tar)
    throw new Error(
      `no server that answers has the artifact ${digest.slice(0, 19)}; it is built again by a new commit`,
    )
  const put = await to.putArtifact(fence, digest, tar, limit)
  if (put.kind === "refused") throw new Error(put.because)
}
