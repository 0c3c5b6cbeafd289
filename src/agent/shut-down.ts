import type { Compute } from "../ports/compute.ts"

/** Milliseconds: an instance is asked to end, then forced; the compute driver has that long for both. */
const grace = 2_000
const patience = 10_000

export type ShutDown = {
  readonly instances: () => Promise<readonly string[]>
  readonly compute: Pick<Compute, "stop" | "forget">
  /** From now on no router is started again; resolves when that is so, with the one that it began last and that runs. */
  readonly endWatching: () => Promise<number | undefined>
  /** Those that answer. */
  readonly routers: () => Promise<readonly number[]>
  readonly kill: (pid: number) => void
}

/**
 * Ends everything that an agent holds up: its instances, then its routers. What cannot be ended keeps nothing else from
 * being ended; answers what that was, in sentences. An engine that no longer answers must not leave a router behind.
 */
export async function shutDown(parts: ShutDown): Promise<readonly string[]> {
  const problems: string[] = []
  const tried = async <T>(what: string, act: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await act()
    } catch (error) {
      problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }
  const { compute } = parts
  const ids = (await tried("the instances are not known", parts.instances)) ?? []
  await Promise.all(
    ids.map((id) =>
      tried(`${id} was not ended`, async () => {
        await compute.stop(id, grace, AbortSignal.timeout(patience))
        await compute.forget(id)
      }),
    ),
  )
  const begun = await tried("the watch over the router goes on", parts.endWatching)
  const answering = (await tried("the routers are not known", parts.routers)) ?? []
  for (const pid of new Set([...answering, ...(begun === undefined ? [] : [begun])]))
    await tried(`the router ${pid} was not ended`, async () => parts.kill(pid))
  return problems
}
