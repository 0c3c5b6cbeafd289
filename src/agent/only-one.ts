import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

/**
 * Makes this process the only agent of a folder until it ends in any way: the kernel drops the lock with the
 * process. Taken before anything in the folder is touched. Node has no flock, so it is SQLite's own lock.
 * Throws when another agent holds it.
 */
export function becomeOnlyAgent(dir: string): { readonly release: () => void } {
  mkdirSync(dir, { recursive: true })
  const path = join(dir, "agent.lock")
  const file = new DatabaseSync(path)
  try {
    file.exec("pragma busy_timeout = 0; pragma synchronous = off; pragma journal_mode = memory")
    file.exec("begin exclusive")
  } catch (error) {
    file.close()
    const taken = (error as { readonly errcode?: number }).errcode === 5
    throw new Error(
      taken
        ? `another agent works in ${dir}; stop it first, or give this one a --dir of its own`
        : `the agent's lock ${path} cannot be taken: ${error instanceof Error ? error.message : String(error)}; ` +
            "check that it is a file this user may write",
    )
  }
  return {
    release: () => {
      if (file.isOpen) file.close()
    },
  }
}
