import { createHash } from "node:crypto"
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs"
import { join } from "node:path"
import { emptyState, type State } from "./table.ts"

export type Loaded = { readonly state: State; readonly degraded: string | undefined }

const sum = (text: string): string => createHash("sha256").update(text).digest("hex")

/** Writes so that a crash leaves the old file or the new one; the one before is kept beside it. */
export function saveState(dir: string, state: State): void {
  const body = JSON.stringify(state)
  const file = join(dir, "state.json")
  const temporary = `${file}.new`
  const handle = openSync(temporary, "w", 0o600)
  try {
    writeSync(handle, `${sum(body)}\n${body}`)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  if (existsSync(file)) copyFileSync(file, join(dir, "state.prev.json"))
  renameSync(temporary, file)
  const folder = openSync(dir, "r")
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** The newest state that is whole. Starting with nothing although there was something is said loudly. */
export function loadState(dir: string): Loaded {
  const problems: string[] = []
  for (const name of ["state.json", "state.prev.json"]) {
    const found = read(join(dir, name))
    if (typeof found === "object") {
      return {
        state: found,
        degraded: problems.length > 0 ? `${problems.join("; ")}: started from ${name}` : undefined,
      }
    }
    if (found) problems.push(`${name} ${found}`)
  }
  return {
    state: emptyState,
    degraded: problems.length > 0 ? `${problems.join("; ")}: started with no routes` : undefined,
  }
}

function read(file: string): State | string | undefined {
  if (!existsSync(file)) return undefined
  const text = readFileSync(file, "utf8")
  const end = text.indexOf("\n")
  const body = text.slice(end + 1)
  if (end !== 64 || text.slice(0, 64) !== sum(body)) return "is torn"
  return JSON.parse(body) as State
}
