import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs"
import { mkdir, readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import type { Containers } from "../../ports/containers.ts"

/** The output of containers as files: the engine keeps it from the beginning, so a new agent writes it anew. The agent shortens them. */
export class ContainerLogs {
  readonly #folder: string
  readonly #containers: Containers
  readonly #followed = new Map<string, AbortController>()

  constructor(dir: string, containers: Containers) {
    this.#folder = join(dir, "logs")
    this.#containers = containers
  }

  follow(instance: string, container: string): void {
    if (this.#followed.has(instance)) return
    const ending = new AbortController()
    this.#followed.set(instance, ending)
    // A stream that broke, as when the engine was restarted, is taken up again at the next look.
    void this.#copy(instance, container, ending.signal).catch(() => this.#followed.delete(instance))
  }

  leave(instance: string): void {
    this.#followed.get(instance)?.abort()
    this.#followed.delete(instance)
  }

  async #copy(instance: string, container: string, signal: AbortSignal): Promise<void> {
    await mkdir(this.#folder, { recursive: true })
    // What the agent cut off of it comes again as well.
    for (const name of await readdir(this.#folder))
      if (name.startsWith(`${instance}.log.`)) await rm(join(this.#folder, name), { force: true })
    const file = openSync(join(this.#folder, `${instance}.log`), "a", 0o600)
    try {
      ftruncateSync(file)
      await this.#containers.output(container, (chunk) => writeSync(file, chunk), signal)
    } finally {
      closeSync(file)
    }
  }
}
