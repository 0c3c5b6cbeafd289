import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { isFlag, type RouterOptions } from "./read-options.ts"

/**
 * What `settings.json` of a router's folder says: flags by their names, for a router that somebody else starts,
 * such as `{ "workers": 2, "dead-man": "5m" }`. Empty without that file. Throws on one that cannot be read,
 * and on a flag that there is not.
 */
export async function readSettings(dir: string): Promise<RouterOptions> {
  const file = join(dir, "settings.json")
  let text: string
  try {
    text = await readFile(file, "utf8")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {}
    throw error
  }
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch (error) {
    throw new Error(`${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (typeof found !== "object" || found === null || Array.isArray(found))
    throw new Error(`${file} must be an object of flags, such as {"workers": 2}`)
  return Object.fromEntries(
    Object.entries(found).map(([flag, value]) => {
      const name = flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
      if (!isFlag(name)) throw new Error(`${file}: there is no flag --${flag}; see immunity router --help`)
      if (typeof value !== "string" && typeof value !== "number")
        throw new Error(`${file}: ${flag} must be a text or a number, found ${JSON.stringify(value)}`)
      return [name, String(value)]
    }),
  )
}
