import { setFlagsFromString } from "node:v8"

/**
 * This process collects its young garbage with one thread. Hardly anything of it is alive, so there is nothing to
 * share among several; waking them costs more than the work, and on a busy machine users wait for the last one.
 */
export function collectAlone(): void {
  setFlagsFromString("--no-parallel-scavenge")
}
