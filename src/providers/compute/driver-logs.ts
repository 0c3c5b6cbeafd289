import { appendFileSync, mkdirSync, statSync } from "node:fs"
import { join } from "node:path"
import type { Answer } from "./driver-wire.ts"

const mostBytes = 10 * 1024 ** 2

/**
 * The output of instances as files. A file holds exactly what the driver has told so far, so its length is where to
 * go on, also after a crash.
 */
export class DriverLogs {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** `ask` gets the bytes that are known of each instance. */
  async read(
    ids: readonly string[],
    ask: (from: Readonly<Record<string, number>>) => Promise<Answer<"logs">>,
  ): Promise<void> {
    const from = Object.fromEntries(
      ids.map((id) => [id, this.#known(id)] as const).filter(([, known]) => known < mostBytes),
    )
    if (Object.keys(from).length === 0) return
    const { logs } = await ask(from)
    mkdirSync(this.#folder, { recursive: true })
    for (const id of Object.keys(from)) {
      const more = Buffer.from(logs[id] ?? "", "base64").subarray(0, mostBytes - (from[id] ?? 0))
      if (more.length > 0) appendFileSync(this.#file(id), more, { mode: 0o600 })
    }
  }

  #known(id: string): number {
    return statSync(this.#file(id), { throwIfNoEntry: false })?.size ?? 0
  }

  #file(id: string): string {
    return join(this.#folder, `${id}.log`)
  }
}
