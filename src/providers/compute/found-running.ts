import { createHash } from "node:crypto"
import { lstatSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { livingAt, pids } from "./proc.ts"

/** Folders of a machine that everybody may write; all other places are closed to an instance's user. */
const commonPlaces = ["/tmp", "/var/tmp", "/dev/shm"]

export type FoundProcess = {
  readonly pid: number
  readonly session: number
  readonly name: string
}

/** What the kernel tells of everybody who has a user of their own. Empty where /proc is not there. */
export type FoundRunning = {
  readonly processes: ReadonlyMap<number, readonly FoundProcess[]>
  /** `address:port` of the sockets that listen, by user. */
  readonly listening: ReadonlyMap<number, readonly string[]>
  /** Files and folders in places common to all, by user, with when their status changed. */
  readonly written: ReadonlyMap<number, readonly { readonly path: string; readonly at: number }[]>
}

/** One look at the machine for all of its instances; `among` are the users that matter. */
export function lookAround(among: ReadonlySet<number>): FoundRunning {
  return { processes: processesOf(among), listening: listeningOf(among), written: writtenBy(among) }
}

/** Whoever runs anything on this machine now. Empty where /proc is not there. */
export function usersPresent(): ReadonlySet<number> {
  return new Set(pids().flatMap((pid) => userOf(pid) ?? []))
}

/** The variables that a process was started with, each as a sum of its value; empty when they cannot be read. */
export function environmentOf(pid: number): Readonly<Record<string, string>> {
  const text = quietly(() => readFileSync(`/proc/${pid}/environ`, "utf8")) ?? ""
  return Object.fromEntries(
    text.split("\0").flatMap((variable) => {
      const at = variable.indexOf("=")
      const value = variable.slice(at + 1)
      return at > 0 ? [[variable.slice(0, at), createHash("sha256").update(value).digest("base64url")]] : []
    }),
  )
}

function processesOf(among: ReadonlySet<number>): FoundRunning["processes"] {
  const found = new Map<number, FoundProcess[]>()
  for (const pid of pids()) {
    const uid = userOf(pid)
    if (uid === undefined || !among.has(uid)) continue
    const living = livingAt(pid)
    if (living) add(found, uid, { pid, session: living.session, name: plain(living.name) })
  }
  return found
}

const userOf = (pid: number): number | undefined => quietly(() => lstatSync(`/proc/${pid}`).uid)

function listeningOf(among: ReadonlySet<number>): FoundRunning["listening"] {
  const found = new Map<number, string[]>()
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    const lines = (quietly(() => readFileSync(table, "utf8")) ?? "").split("\n").slice(1)
    for (const line of lines) {
      const [, local = "", , state, , , , user] = line.trim().split(/\s+/)
      const uid = Number(user)
      // 0A: it listens.
      if (state !== "0A" || !among.has(uid)) continue
      add(found, uid, placeOf(local))
    }
  }
  return found
}

/** The kernel writes addresses in hexadecimal, the bytes of every four in the machine's order. */
function placeOf(local: string): string {
  const [address = "", port = ""] = local.split(":")
  const words = address.match(/.{8}/g) ?? []
  const bytes = words.flatMap((word) =>
    (word.match(/../g) ?? []).reverse().map((byte) => Number.parseInt(byte, 16)),
  )
  const isAny = bytes.every((byte) => byte === 0)
  const last = bytes.slice(-4).join(".")
  return `${isAny ? "*" : bytes.at(-4) === 127 || bytes.length === 4 ? last : "an address"}:${Number.parseInt(port, 16)}`
}

function writtenBy(among: ReadonlySet<number>): FoundRunning["written"] {
  const found = new Map<number, { path: string; at: number }[]>()
  for (const place of commonPlaces) {
    for (const name of quietly(() => readdirSync(place)) ?? []) {
      const stat = quietly(() => lstatSync(join(place, name)))
      if (stat && among.has(stat.uid))
        add(found, stat.uid, { path: join(place, plain(name)), at: stat.ctimeMs })
    }
  }
  return found
}

function add<T>(found: Map<number, T[]>, uid: number, what: T): void {
  found.set(uid, [...(found.get(uid) ?? []), what])
}

/** Whoever runs it chooses its name; only plain letters of it are repeated. */
const plain = (name: string): string => name.replace(/[^\w.:-]/g, "?").slice(0, 60)

/** Undefined for what ended just now, or is not ours to look at. */
function quietly<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}
