import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"

/**
 * When a process began, as the kernel tells it: with the pid it names a process for ever, a pid alone does not.
 * Undefined when there is no such process, or only its remains.
 */
export function startOf(pid: number): string | undefined {
  if (process.platform !== "linux") return startByPs(pid)
  const fields = statOf(pid)
  return fields === undefined || isDead(fields) ? undefined : fields[19]
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

/**
 * Resident bytes of every process group, by the pid of its leader: what an instance forked counts as its own.
 * Pages that several of them share count more than once. Empty where /proc is not there.
 */
export function residentByGroup(): ReadonlyMap<number, number> {
  const bytes = new Map<number, number>()
  for (const pid of pids()) {
    const fields = statOf(pid)
    if (!fields || isDead(fields)) continue
    const group = Number(fields[2])
    bytes.set(group, (bytes.get(group) ?? 0) + Number(fields[21]) * 4_096)
  }
  return bytes
}

/** Living processes that were started with this HOME, however they detached themselves since. */
export function processesAtHome(home: string): readonly number[] {
  const mark = `HOME=${home}`
  return pids().filter((pid) => {
    try {
      const fields = statOf(pid)
      if (!fields || isDead(fields)) return false
      return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(mark)
    } catch {
      // Somebody else's, or gone.
      return false
    }
  })
}

/** Of everything that runs on this machine. Empty where /proc is not there. */
export function pids(): readonly number[] {
  try {
    return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []))
  } catch {
    return []
  }
}

export type Living = {
  readonly name: string
  readonly parent: number
  readonly session: number
  /** When it began, as `startOf` tells it. */
  readonly start: string | undefined
}

/** What lives under this pid. Undefined when nothing does, or only its remains. */
export function livingAt(pid: number): Living | undefined {
  const stat = textOf(pid)
  const fields = stat && fieldsOf(stat)
  if (!stat || !fields || isDead(fields)) return undefined
  return {
    name: stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")),
    parent: Number(fields[1]),
    session: Number(fields[3]),
    start: fields[19],
  }
}

function statOf(pid: number): readonly string[] | undefined {
  const stat = textOf(pid)
  return stat === undefined ? undefined : fieldsOf(stat)
}

function textOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8")
  } catch {
    return undefined
  }
}

/** The second field is the command in parentheses and may hold anything; the rest follows its last ")". */
const fieldsOf = (stat: string): readonly string[] => stat.slice(stat.lastIndexOf(")") + 2).split(" ")

const isDead = (fields: readonly string[]): boolean => fields[0] === "Z" || fields[0] === "X"
