import { truncateSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { StoreInUse } from "./errors.ts"
import { codeOf } from "./sqlite.ts"

/**
 * Makes this process the only writer of a store, until it releases or ends in any way: the kernel drops the
 * lock with the process. Node has no flock, so it is SQLite's own lock on a file beside the store. Throws
 * StoreInUse, naming the holder's process.
 */
export function becomeWriter(path: string): { readonly release: () => void } {
  try {
    return hold(path)
  } catch (error) {
    if (error instanceof StoreInUse) throw error
    if (!torn.has(codeOf(error))) throw cannotBeTaken(path, error)
  }
  try {
    // A kill or a power cut tore it. It only tells who holds it, so it may be emptied; never removed, because
    // a lock lies on the file and not on its name, and a living holder must still be found.
    truncateSync(`${path}.lock`, 0)
    return hold(path)
  } catch (error) {
    throw error instanceof StoreInUse ? error : cannotBeTaken(path, error)
  }
}

function hold(path: string): { readonly release: () => void } {
  const file = new DatabaseSync(`${path}.lock`)
  try {
    file.exec("pragma busy_timeout = 0; pragma synchronous = off; pragma journal_mode = memory")
    file.exec("begin immediate")
    tellWho(file)
    // Told, so that a second process can read who holds it; then locked again and kept.
    if (!file.isTransaction) file.exec("begin immediate")
  } catch (error) {
    const holder = codeOf(error) === busy ? holderOf(file) : undefined
    file.close()
    if (codeOf(error) === busy) throw new StoreInUse(path, holder)
    throw error
  }
  return {
    release: () => {
      if (file.isOpen) file.close()
    },
  }
}

/** A full disk must not keep the writer from starting: then nobody can read who it is, and that is all. */
function tellWho(file: DatabaseSync): void {
  try {
    file.exec("create table if not exists holder (pid integer); delete from holder")
    file.prepare("insert into holder values (?)").run(process.pid)
    file.exec("commit")
  } catch {
    if (file.isTransaction) file.exec("rollback")
  }
}

const cannotBeTaken = (path: string, error: unknown): Error =>
  new Error(
    `the store ${path} cannot be opened: its lock ${path}.lock cannot be taken: ` +
      `${error instanceof Error ? error.message : String(error)}. Check that it is a file this user may write.`,
  )

const busy = 5
/** SQLite's CORRUPT and NOTADB. */
const torn: ReadonlySet<number | undefined> = new Set([11, 26])

function holderOf(file: DatabaseSync): number | undefined {
  try {
    if (file.isTransaction) file.exec("rollback")
    const pid = file.prepare("select pid from holder").get()?.pid
    return typeof pid === "number" ? pid : undefined
  } catch {
    return undefined
  }
}
