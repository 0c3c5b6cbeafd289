import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import type { Containers } from "../../ports/containers.ts"

const mostBytes = 10 * 1024 ** 2

/** The output of containers as files: the engine keeps it from the beginning, so a new agent writes it anew. */
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
    const file = openSync(join(this.#folder, `${instance}.log`), "a", 0o600)
    let written = 0
    try {
      ftruncateSync(file)
      const write = (chunk: Uint8Array) => {
        if (written < mostBytes) written += writeSync(file, chunk.subarray(0, mostBytes - written))
      }
      await this.#containers.output(container, write, signal)
    } finally {
      closeSync(file)
    }
  }
}
