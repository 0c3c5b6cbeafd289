import type { Clock } from "../ports/clock.ts"

/** How much faster or slower than real time it may go to come back to the wall clock. */
const slew = 0.1

/**
 * A wall clock without jumps: it goes with the monotonic one and follows the real wall at a tenth of the speed. An
 * hour's jump neither ends a bake nor stops one; a small correction is followed within seconds.
 */
export function steadyClock(clock: Clock): Clock {
  let shown = clock.now()
  let at = clock.mono()
  return {
    mono: () => clock.mono(),
    sleep: (forMs, signal) => clock.sleep(forMs, signal),
    now: () => {
      const mono = clock.mono()
      const passed = Math.max(0, mono - at)
      at = mono
      const off = clock.now() - (shown + passed)
      shown += passed + Math.max(-passed * slew, Math.min(passed * slew, off))
      return Math.floor(shown)
    },
  }
}
