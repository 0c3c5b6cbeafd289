import { readdirSync, readFileSync, readlinkSync } from "node:fs"

export type Process = {
  readonly name: string
  /** Bytes that are its own: pages of files count for nobody. */
  readonly memory: number
  /** It did not grow from the container's first process: somebody entered the container from outside. */
  readonly entered: boolean
}

export type Namespaces = {
  /** All that runs in the container whose first process has this pid; empty when it is not to be seen from here. */
  readonly of: (pid: number | undefined) => readonly Process[]
}

type Found = { readonly pid: number; readonly parent: number; readonly name: string; readonly memory: number }

/**
 * Every process of this machine by its pid namespace, as the kernel tells it; no engine is asked. Needs root, and
 * an engine on the same machine; otherwise it sees nothing.
 */
export function processesByNamespace(): Namespaces {
  const byNamespace = new Map<string, Found[]>()
  const own = namespaceOf("self")
  for (const pid of pids()) {
    const namespace = namespaceOf(pid)
    if (namespace === undefined || namespace === own) continue
    const found = statusOf(pid)
    if (found) byNamespace.set(namespace, [...(byNamespace.get(namespace) ?? []), found])
  }
  return {
    of(first) {
      const namespace = first === undefined ? undefined : namespaceOf(String(first))
      const found = namespace === undefined ? [] : (byNamespace.get(namespace) ?? [])
      const inside = new Set(found.map(({ pid }) => pid))
      return found.map(({ pid, parent, name, memory }) => ({
        name,
        memory,
        entered: pid !== first && !inside.has(parent),
      }))
    },
  }
}

const pids = (): readonly string[] => {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name))
  } catch {
    return []
  }
}

function namespaceOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`)
  } catch {
    // Ended just now, or not ours to look at.
    return undefined
  }
}

function statusOf(pid: string): Found | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/status`, "utf8")
  } catch {
    return undefined
  }
  const field = (name: string): string => text.match(new RegExp(`^${name}:\\s*(.*)$`, "m"))?.[1] ?? ""
  if (/^[ZX]/.test(field("State"))) return undefined
  const kilobytes = (name: string) => Number.parseInt(field(name), 10) || 0
  return {
    pid: Number(pid),
    parent: Number(field("PPid")),
    // Whoever runs it chooses its name; only plain letters of it are repeated.
    name: field("Name")
      .replace(/[^\w.:-]/g, "?")
      .slice(0, 40),
    memory: (kilobytes("RssAnon") + kilobytes("RssShmem")) * 1_024,
  }
}
