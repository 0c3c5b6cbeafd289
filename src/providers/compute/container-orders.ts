import { mkdir, open, readFile, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import type { ContainerOrder } from "../../ports/containers.ts"

/** What each container was ordered to be, on this agent's own disk: nothing that the engine says can change it. */
export class ContainerOrders {
  readonly #folder: string

  constructor(dir: string) {
    this.#folder = join(dir, "containers")
  }

  async remember(id: string, order: ContainerOrder): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const temporary = `${this.#file(id)}.new`
    const handle = await open(temporary, "w", 0o600)
    try {
      await handle.writeFile(JSON.stringify(order))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, this.#file(id))
  }

  /** Undefined when this agent ordered no such container. */
  async read(id: string): Promise<ContainerOrder | undefined> {
    const text = await readFile(this.#file(id), "utf8").catch(() => undefined)
    return text === undefined ? undefined : (JSON.parse(text) as ContainerOrder)
  }

  async forget(id: string): Promise<void> {
    await rm(this.#file(id), { force: true })
  }

  #file(id: string): string {
    return join(this.#folder, `${id}.json`)
  }
}
