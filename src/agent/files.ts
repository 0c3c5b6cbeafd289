import { open, readFile, rename } from "node:fs/promises"
import { dirname } from "node:path"

/** Writes a file so that a crash leaves the old or the new one, never half of one. */
export async function writeAtomically(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`
  const file = await open(temporary, "w", 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  const folder = await open(dirname(path), "r")
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** The parsed JSON of a file, or undefined when there is none. */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
