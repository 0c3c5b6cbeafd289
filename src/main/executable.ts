import { accessSync, constants, statSync } from "node:fs"
import { resolve } from "node:path"
import { exit, Stop } from "../cli/client.ts"

/** The absolute path of a file that can be run here; a sentence when it cannot. */
export function executable(given: string): string {
  const file = resolve(given)
  const found = statSync(file, { throwIfNoEntry: false })
  if (!found?.isFile()) throw new Stop(exit.usage, `there is no file ${file}; name the driver's executable`)
  try {
    accessSync(file, constants.X_OK)
  } catch {
    throw new Stop(exit.usage, `${file} is not executable; allow it with: chmod +x ${given}`)
  }
  return file
}
