import { readdir, readFile } from "node:fs/promises"

/** Of /proc: one tick is 10 ms everywhere on Linux. */
const ticksPerSecond = 100

/** Seconds of CPU that a process and all its children have used. Throws when it is gone. */
export async function cpuSeconds(pid: number): Promise<number> {
  const all = await Promise.all(
    (await readdir("/proc"))
      .filter((name) => /^\d+$/.test(name))
      .map((name) => readFile(`/proc/${name}/stat`, "utf8").then(read, () => undefined)),
  )
  const known = all.filter((one) => one !== undefined)
  const family = new Set([pid])
  for (let size = 0; size !== family.size; ) {
    size = family.size
    for (const one of known) if (family.has(one.parent)) family.add(one.pid)
  }
  const found = known.filter((one) => family.has(one.pid))
  if (!found.some((one) => one.pid === pid)) throw new Error(`process ${pid} has ended`)
  return found.reduce((sum, one) => sum + one.ticks, 0) / ticksPerSecond
}

function read(stat: string): { readonly pid: number; readonly parent: number; readonly ticks: number } {
  // A name may hold anything, also spaces and brackets: fields are counted from its end.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return {
    pid: Number.parseInt(stat, 10),
    parent: Number(fields[1]),
    ticks: Number(fields[11]) + Number(fields[12]),
  }
}
