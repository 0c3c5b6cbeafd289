import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { lstat, readdir, readlink } from "node:fs/promises"
import { join } from "node:path"
import type { Difference } from "../../core/pipeline/events.ts"
import type { ManifestEntry } from "../../ports/artifacts.ts"

const mostDifferences = 20

/**
 * Compares an instance's files with its artifact. A file is read again only when its status-change time, inode
 * or size moved since it was last found right; that time cannot be set back by whoever edits the file.
 */
export class Drift {
  readonly #root: string
  readonly #expected: ReadonlyMap<string, ManifestEntry>
  readonly #right = new Map<string, string>()

  constructor(root: string, manifest: readonly ManifestEntry[]) {
    this.#root = root
    this.#expected = new Map(manifest.map((entry) => [entry.path, entry]))
  }

  async differences(): Promise<readonly Difference[]> {
    const found: Difference[] = []
    const present = new Set(await this.#walk(""))
    for (const path of present) {
      if (!this.#expected.has(path)) found.push({ path, what: "added" })
    }
    for (const [path, entry] of this.#expected) {
      if (!present.has(path)) found.push({ path, what: "removed" })
      else if (!(await this.#same(path, entry))) found.push({ path, what: "changed" })
    }
    return found.slice(0, mostDifferences)
  }

  async #same(path: string, entry: ManifestEntry): Promise<boolean> {
    const full = join(this.#root, path)
    const stat = await lstat(full, { bigint: true })
    const mark = `${stat.ino}/${stat.size}/${stat.ctimeNs}/${stat.mode}`
    if (this.#right.get(path) === mark) return true
    const same =
      entry.kind === "link"
        ? stat.isSymbolicLink() && (await readlink(full)) === entry.target
        : stat.isFile() && stat.size === BigInt(entry.size) && (await sha256(full)) === entry.sha256
    if (same) this.#right.set(path, mark)
    return same
  }

  async #walk(folder: string): Promise<readonly string[]> {
    const found: string[] = []
    for (const entry of await readdir(join(this.#root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) found.push(...(await this.#walk(path)))
      else found.push(path)
    }
    return found
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256")
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
  return hash.digest("hex")
}
