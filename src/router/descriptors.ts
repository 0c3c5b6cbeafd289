import { readFileSync } from "node:fs"

/** Files of its own: listeners, pipes, logs, the sockets of control and statistics. */
const ours = 64

/**
 * How many files this process may open, as the system enforces it (`RLIMIT_NOFILE`; Node raises the soft limit to the
 * hard one when it starts). Undefined where the system does not say, or sets no limit.
 */
export function mostDescriptors(): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]
    return soft === undefined ? undefined : Number(soft)
  } catch {
    return undefined
  }
}

/**
 * How many clients may be let in, so that a connection to an instance can be opened for each of them: a third of what
 * is left, for the client, for its request, and for copies and connections at rest. At least one.
 */
export const clientsWithin = (descriptors: number): number =>
  Math.max(1, Math.floor((descriptors - ours) / 3))
