import { createHash } from "node:crypto"
import { chmod, mkdir, open, readFile, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import type { Digest } from "../../core/model/ids.ts"
import type { Told } from "../../core/pipeline/told.ts"

/** The one file in the folder of a container. */
export const handedFile = "configuration.json"

/**
 * What containers are configured with: a folder for each, which it alone is shown, and which nobody else of this
 * machine can come to. In no environment, argument or label, where an engine would tell it to whoever asks.
 */
export class Handed {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Lays it down whole or not at all; safe to repeat. Answers its digest. */
  async put(container: string, told: Told): Promise<Digest> {
    const text = `${JSON.stringify(told)}\n`
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    await chmod(this.#folder, 0o700)
    const own = join(this.#folder, container)
    await mkdir(own, { recursive: true })
    // The user inside is none of this machine's: the folder above is what keeps others away.
    await chmod(own, 0o755)
    const temporary = join(this.#folder, `${container}.new`)
    const handle = await open(temporary, "w", 0o600)
    try {
      await handle.writeFile(text)
      await handle.chmod(0o444)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, join(own, handedFile))
    return digestOf(text)
  }

  /** Undefined when there is none. */
  async digest(container: string): Promise<Digest | undefined> {
    const text = await readFile(join(this.#folder, container, handedFile)).catch(() => undefined)
    return text && digestOf(text)
  }

  async remove(container: string): Promise<void> {
    await rm(join(this.#folder, container), { recursive: true, force: true })
  }
}

const digestOf = (text: string | Buffer): Digest =>
  `sha256:${createHash("sha256").update(text).digest("hex")}` as Digest
