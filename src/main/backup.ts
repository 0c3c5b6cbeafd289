import { createReadStream, existsSync } from "node:fs"
import { open, rename, rm } from "node:fs/promises"
import { resolve } from "node:path"
import { createInterface } from "node:readline"
import { exit, Stop } from "../cli/client.ts"
import { systemClock } from "../providers/clock/system.ts"
import { openSharedStore, openStore, type Store } from "../store/store.ts"
import { foldersIn } from "./folders.ts"

export type Where = { readonly dir: string; readonly db?: string }

/** Writes a store to a file, which gets its name only when it is whole. */
export async function backup(file: string, where: Where): Promise<void> {
  if (existsSync(file)) throw new Stop(exit.usage, `${file} is there already; nothing was written over it`)
  const store = await storeAt(where, true)
  const part = `${file}.part`
  const out = await open(part, "w", 0o600)
  let lines = 0
  try {
    for await (const line of store.backup()) {
      await out.write(line)
      lines++
    }
    // Only a whole backup gets the name of one.
    await out.sync()
    await out.close()
    await rename(part, file)
  } catch (error) {
    await out.close().catch(() => undefined)
    await rm(part, { force: true })
    throw error
  } finally {
    await store.close()
  }
  process.stdout.write(
    `${lines - 2} rows are in ${resolve(file)}; it holds no secrets of the server, and all of its history\n`,
  )
}

/** Puts a backup into an empty store. */
export async function restore(file: string, where: Where): Promise<void> {
  if (!existsSync(file)) throw new Stop(exit.usage, `${file} does not exist`)
  const store = await storeAt(where, false)
  try {
    const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })
    const rows = await store.restore(lines)
    process.stdout.write(
      `${rows} rows are restored. Next: immunity serve. What was deployed since the backup keeps running, and its applications wait for: immunity resume\n`,
    )
  } finally {
    await store.close()
  }
}

/** The store of a data folder, or the shared one. */
export function storeAt({ dir, db = process.env.IMMUNITY_DB }: Where, readOnly: boolean): Promise<Store> {
  const clock = systemClock
  if (db !== undefined) return openSharedStore({ url: db, clock })
  return openStore({ path: foldersIn(dir).store, clock, readOnly })
}
