import type { Clock } from "../../ports/clock.ts"

/** The machine's clock. A sleeper keeps the process alive until it wakes or its signal aborts. */
export const systemClock: Clock = {
  now: () => Date.now(),
  mono: () => performance.now(),
  sleep: (forMs, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const wake = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener("abort", wake)
        resolve()
      }
      // A timer past 2^31-1 ms would fire at once; a day early is early enough to look again.
      const timer = setTimeout(wake, Math.min(Math.max(0, forMs), 2_147_483_647))
      signal?.addEventListener("abort", wake)
    }),
}
