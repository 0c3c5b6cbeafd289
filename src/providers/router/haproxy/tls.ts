import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { createSecureContext } from "node:tls"
import { writeWhole } from "./book-file.ts"
import type { TlsPair } from "./settings.ts"

/** Certificate and key in one, as HAProxy reads them. */
export const tlsFile = (dir: string): string => join(dir, "tls.pem")

/**
 * The certificate that users' addresses have: `settings.json` of the router's folder names its two files, as for the
 * router of our own. Read again whenever they change; one that does not fit its key is not taken, the one before stays.
 */
export class Tls {
  readonly #dir: string
  readonly #files: TlsPair | undefined
  #seen: string | undefined

  private constructor(dir: string, files: TlsPair | undefined) {
    this.#dir = dir
    this.#files = files
  }

  /** Throws when the first certificate cannot be read. */
  static open(dir: string, files: TlsPair | undefined): Tls {
    const tls = new Tls(dir, files)
    if (files) {
      tls.#seen = versionOf(files)
      writeWhole(tlsFile(dir), readPair(files))
    }
    return tls
  }

  get isOn(): boolean {
    return this.#files !== undefined
  }

  /** What came in the place of the certificate since it was last asked for, once it is whole and on disk. */
  renewed(): string | undefined {
    const files = this.#files
    const now = files && versionOf(files)
    if (!files || now === undefined || now === this.#seen) return undefined
    try {
      const pair = readPair(files)
      writeWhole(tlsFile(this.#dir), pair)
      this.#seen = now
      return pair
    } catch {
      // Half of a renewal: certificate and key are two files, and one of them comes first.
      return undefined
    }
  }
}

/** Without empty lines: one ends what HAProxy is told through its socket. Throws when they do not belong together. */
function readPair(files: TlsPair): string {
  const [cert, key] = [readFileSync(files.cert, "utf8"), readFileSync(files.key, "utf8")]
  createSecureContext({ cert, key })
  return `${cert}\n${key}\n`.replaceAll(/\r/g, "").replaceAll(/\n{2,}/g, "\n")
}

/** Changes when one of the files does; undefined while one is missing. */
function versionOf(files: TlsPair): string | undefined {
  try {
    return [files.cert, files.key]
      .map((file) => statSync(file))
      .map(({ ino, mtimeMs, size }) => `${ino}.${mtimeMs}.${size}`)
      .join(" ")
  } catch {
    return undefined
  }
}
