import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"

/**
 * When a process began, as the kernel tells it: with the pid it names a process for ever, a pid alone does not.
 * Undefined when there is no such process, or only its remains.
 */
export function startOf(pid: number): string | undefined {
  if (process.platform !== "linux") return startByPs(pid)
  try {
    // The second field is the command in parentheses and may hold anything; the rest follows its last ")".
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19]
  } catch {
    return undefined
  }
}

function startByPs(pid: number): string | undefined {
  try {
    const [state, ...start] = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
      encoding: "utf8",
    })
      .trim()
      .split(/\s+/)
    return state?.startsWith("Z") ? undefined : start.join(" ") || undefined
  } catch {
    return undefined
  }
}

/** Resident bytes of a process; undefined where they cannot be read. */
export function residentBytes(pid: number): number | undefined {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1])
    return Number.isFinite(pages) ? pages * 4_096 : undefined
  } catch {
    return undefined
  }
}
