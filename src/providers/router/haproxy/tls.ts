import { existsSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { createSecureContext } from "node:tls"
import { writeWhole } from "./book-file.ts"

/** Certificate and key in one, as HAProxy reads them. */
export const tlsFile = (dir: string): string => join(dir, "tls.pem")

type Files = { readonly cert: string; readonly key: string }

/**
 * The certificate that users' addresses have: `settings.json` of the router's folder names its two files, as for the
 * router of our own. Read again whenever they change; one that does not fit its key is not taken, the one before stays.
 */
export class Tls {
  readonly #dir: string
  readonly #files: Files | undefined
  #seen: string | undefined

  private constructor(dir: string, files: Files | undefined) {
    this.#dir = dir
    this.#files = files
  }

  /** Throws when the settings or the first certificate cannot be read. */
  static open(dir: string): Tls {
    const files = readSettings(join(dir, "settings.json"))
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

function readSettings(file: string): Files | undefined {
  if (!existsSync(file)) return undefined
  let found: unknown
  try {
    found = JSON.parse(readFileSync(file, "utf8"))
  } catch (error) {
    throw new Error(`${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  const { cert, key, ...rest } = (found ?? {}) as Readonly<Record<string, unknown>>
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined)
    throw new Error(`${file}: HAProxy has no setting ${unknown} here; there are cert and key`)
  if (typeof cert !== "string" || typeof key !== "string")
    throw new Error(`${file} must name both files, such as {"cert": "/etc/papi.crt", "key": "/etc/papi.key"}`)
  return { cert, key }
}

/** Without empty lines: one ends what HAProxy is told through its socket. Throws when they do not belong together. */
function readPair(files: Files): string {
  const [cert, key] = [readFileSync(files.cert, "utf8"), readFileSync(files.key, "utf8")]
  createSecureContext({ cert, key })
  return `${cert}\n${key}\n`.replaceAll(/\r/g, "").replaceAll(/\n{2,}/g, "\n")
}

/** Changes when one of the files does; undefined while one is missing. */
function versionOf(files: Files): string | undefined {
  try {
    return [files.cert, files.key]
      .map((file) => statSync(file))
      .map(({ ino, mtimeMs, size }) => `${ino}.${mtimeMs}.${size}`)
      .join(" ")
  } catch {
    return undefined
  }
}
