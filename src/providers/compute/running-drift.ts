import type { Difference } from "../../core/pipeline/events.ts"
import { environmentOf, type FoundProcess, type FoundRunning } from "./found-running.ts"
import { processesAtHome } from "./proc.ts"

/** What an instance had become when it had settled: what it opens and sets by itself is no finding. */
export type Settled = {
  readonly listening: readonly string[]
  /** Names of variables, and sums of their values. */
  readonly environment: Readonly<Record<string, string>>
}

/** An instance that runs as a user of its own. */
export type Running = {
  readonly pid: number
  readonly uid: number
  readonly home: string
  readonly startedAt: number
}

/** What it is now, to be compared with later. */
export const settledAs = ({ pid, uid }: Running, found: FoundRunning): Settled => ({
  listening: [...(found.listening.get(uid) ?? [])].sort(),
  environment: environmentOf(pid),
})

/**
 * Where a running instance is not what it was when it had settled: processes of its user that it did not start,
 * ports that it opened since, variables of its first process; and what it wrote to places that are not its own.
 */
export class RunningDrift {
  /** Strangers of the last look: who is on its way from one program to another is seen but once. */
  #before: ReadonlySet<number> = new Set()

  differences(running: Running, settled: Settled, found: FoundRunning): readonly Difference[] {
    const ports = (found.listening.get(running.uid) ?? []).filter((port) => !settled.listening.includes(port))
    return [
      ...this.#strangers(running, found).map(({ name }) => ({
        path: `process ${name}`,
        what: "added" as const,
      })),
      ...[...new Set(ports)].map((port) => ({ path: `port ${port}`, what: "added" as const })),
      ...environmentSince(settled.environment, environmentOf(running.pid)),
      ...(found.written.get(running.uid) ?? [])
        // What an earlier instance with this user left behind is not this one's.
        .filter(({ at }) => at >= running.startedAt)
        .map(({ path }) => ({ path, what: "written" as const })),
    ]
  }

  #strangers({ pid, uid, home }: Running, found: FoundRunning): readonly FoundProcess[] {
    const outside = (found.processes.get(uid) ?? []).filter(({ session }) => session !== pid)
    if (outside.length === 0) return []
    const own = new Set(processesAtHome(home))
    const strangers = outside.filter((process) => !own.has(process.pid))
    const twice = strangers.filter((process) => this.#before.has(process.pid))
    this.#before = new Set(strangers.map((process) => process.pid))
    return twice
  }
}

/** A program that writes its title over its environment tells nothing of it any more; HOME would be gone first. */
function environmentSince(then: Settled["environment"], now: Settled["environment"]): readonly Difference[] {
  if (then.HOME === undefined || now.HOME === undefined) return []
  const names = [...new Set([...Object.keys(then), ...Object.keys(now)])].sort()
  return names.flatMap((name): readonly Difference[] => {
    if (then[name] === now[name]) return []
    const what = then[name] === undefined ? "added" : now[name] === undefined ? "removed" : "changed"
    return [{ path: `environment ${name}`, what }]
  })
}
