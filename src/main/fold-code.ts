import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"

/**
 * Names the code that folds events into states: the text of the whole core and the engine that runs it. Nobody has to
 * remember to raise a version; a change that folds alike costs one start that folds everything.
 */
export function foldCode(): string {
  const core = new URL("../core/", import.meta.url)
  const sum = createHash("sha256").update(process.version)
  for (const name of readdirSync(core, { recursive: true, encoding: "utf8" }).sort()) {
    if (!/\.[jt]s$/.test(name)) continue
    sum.update(name).update(readFileSync(new URL(name, core)))
  }
  return sum.digest("hex")
}
