import { spawnSync } from "node:child_process"
import { usersPresent } from "./found-running.ts"

/** 60578 to 61183 belong to nobody in the ranges that distributions agreed on. */
const first = 60_600
const count = 500

/**
 * Users that exist nowhere else, one for each instance that runs: an instance cannot signal, trace or read
 * another, nor its agent. Undefined where that cannot be: the agent is not root, setpriv is missing, or such a
 * user could not enter `folder` or run this Node; then instances run as the agent's user.
 */
export function instanceAccounts(folder: string): Accounts | undefined {
  if (process.getuid?.() !== 0) return undefined
  const [file = "", ...args] = become(first)
  const look = "fs.accessSync(process.argv[1], fs.constants.X_OK)"
  const tried = spawnSync(file, [...args, process.execPath, "-e", look, folder], {
    timeout: 10_000,
    stdio: "ignore",
    env: {},
  })
  return tried.status === 0 ? { free, become } : undefined
}

export type Accounts = {
  /** A user that is not among those taken, and whom nothing on this machine runs as: not another agent's either. */
  readonly free: (taken: ReadonlySet<number>) => number
  /** The words before a command that make it run as this user, with no way back. */
  readonly become: (uid: number) => readonly string[]
}

// Agents on one machine begin at different places.
let next = process.pid % count

function free(taken: ReadonlySet<number>): number {
  const present = usersPresent()
  for (let tries = 0; tries < count; tries++) {
    const uid = first + (next++ % count)
    if (!taken.has(uid) && !present.has(uid)) return uid
  }
  throw new Error(`${count} instances run on this server; there is no user left for another`)
}

const become = (uid: number): readonly string[] => [
  "setpriv",
  `--reuid=${uid}`,
  `--regid=${uid}`,
  "--clear-groups",
  "--no-new-privs",
  "--bounding-set=-all",
]
