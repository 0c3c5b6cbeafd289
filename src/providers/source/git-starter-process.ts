import { runGit } from "./git-process.ts"
import type { FromStarter, ToStarter } from "./git-starter.ts"

/** Without a question it ends; the next one starts it again. */
const idleFor = 60_000

/** The small process that starts git for a large one: told what to run over its channel, and ends with it. */
function main(): void {
  // Ctrl-C reaches the whole group of the terminal. Whoever asked decides when this ends, and git with it.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => undefined)
  const underWay = new Map<number, AbortController>()
  const idle = setTimeout(() => underWay.size === 0 && process.exit(0), idleFor)
  const say = (answer: FromStarter) => process.send?.(answer)
  process.on("disconnect", () => {
    for (const stop of underWay.values()) stop.abort()
    process.exit(0)
  })
  process.on("message", (told: ToStarter) => {
    idle.refresh()
    const { id } = told
    if ("stop" in told) {
      underWay.get(id)?.abort()
      return
    }
    const stop = new AbortController()
    underWay.set(id, stop)
    runGit({ ...told.run, signal: stop.signal }, (git) => say({ id, git }))
      .then(
        (result) => say({ id, result }),
        (error: unknown) => say({ id, because: error instanceof Error ? error.message : String(error) }),
      )
      .finally(() => {
        underWay.delete(id)
        idle.refresh()
      })
  })
}

main()
