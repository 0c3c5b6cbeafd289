import type { Agent } from "../ports/agent.ts"
import type { Clock } from "../ports/clock.ts"

const every = 1_000
const patience = 5_000
/** An agent that was just begun does not answer yet, and one with much to do answers late. */
const begins = 20_000

/**
 * Says at once, to whoever started a control plane, why nothing can be built or started on its own machine, as where no
 * container engine answers; and later that it can be. Ends with the first answer.
 */
export async function tellOfOwnMachine(
  agent: Pick<Agent, "observe">,
  clock: Clock,
  say: (sentence: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const since = clock.mono()
  let told: string | undefined
  while (!signal.aborted) {
    const asked = AbortSignal.any([signal, AbortSignal.timeout(patience)])
    const problem = await agent.observe([], asked).then(
      () => undefined,
      (error: unknown) =>
        asked.aborted
          ? `no agent answers within ${patience / 1_000} s`
          : error instanceof Error
            ? error.message
            : String(error),
    )
    if (signal.aborted) return
    if (problem === undefined) {
      if (told !== undefined) say("instances can be started on this machine now")
      return
    }
    const begun = !problem.startsWith("no agent answers") || clock.mono() - since > begins
    if (begun && problem !== told) {
      told = problem
      say(
        `nothing can be built or started on this machine: ${problem}. What runs keeps running; once that is mended, it goes on by itself`,
      )
    }
    await clock.sleep(every, signal)
  }
}
