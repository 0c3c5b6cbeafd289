import type { Duration } from "../core/model/time.ts"
import type { Clock } from "../ports/clock.ts"

/**
 * Gives an act so long, in milliseconds, and no longer than a signal. `AbortSignal.any` and `AbortSignal.timeout` say the
 * same, but of each of those something stays in memory until the next great collection of garbage, and every look at an
 * application at rest asks for several.
 */
export async function within<T>(
  clock: Pick<Clock, "sleep">,
  forMs: Duration,
  signal: AbortSignal | undefined,
  act: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController()
  const over = new AbortController()
  const end = (): void => limit.abort(signal?.reason)
  if (signal?.aborted) end()
  signal?.addEventListener("abort", end)
  void clock.sleep(forMs, over.signal).then(() => {
    if (!over.signal.aborted) limit.abort(new Error("it did not answer in time"))
  })
  try {
    return await act(limit.signal)
  } finally {
    over.abort(done)
    signal?.removeEventListener("abort", end)
  }
}

/** Nobody reads it; an error with its stack, for each, would cost more than all else here. */
const done = "done"
