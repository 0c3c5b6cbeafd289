import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
} from "node:fs/promises"
import { dirname, join, normalize, relative, resolve, sep } from "node:path"
import type { Digest } from "../core/model/ids.ts"
import type { Instant } from "../core/model/time.ts"
import type { Artifacts, ManifestEntry, TravellingArtifacts } from "../ports/artifacts.ts"
import { writeAtomically } from "./files.ts"
import { packed, unpackInto } from "./tar.ts"

const mostFiles = 200_000
const mostBytes = 2 * 1024 ** 3

export type ArtifactFolder = Artifacts &
  TravellingArtifacts & {
    /** Where its files lie, to be read and never written; its manifest lies beside it, with `.json` behind the name. */
    readonly at: (digest: Digest) => Promise<string>
    /** When it was added last; undefined when it is not there. */
    readonly addedAt: (digest: Digest) => Promise<Instant | undefined>
  }

/** Artifacts as plain read-only folders named by their content. */
export function artifactFolder(dir: string): ArtifactFolder {
  const tree = (digest: Digest) => join(dir, hex(digest))
  const manifestFile = (digest: Digest) => `${tree(digest)}.json`
  const manifest = async (digest: Digest): Promise<readonly ManifestEntry[]> => {
    try {
      return JSON.parse(await readFile(manifestFile(digest), "utf8")) as readonly ManifestEntry[]
    } catch {
      throw new Error(`there is no artifact ${digest} on this server; build it again or bring it here`)
    }
  }
  const add: Artifacts["add"] = async (folder) => {
    const entries = await describe(folder)
    const text = JSON.stringify(entries)
    const digest: Digest = `sha256:${createHash("sha256").update(text).digest("hex")}`
    const bytes = bytesOf(entries)
    await mkdir(dir, { recursive: true })
    const incoming = `${tree(digest)}.new-${process.pid}`
    await copyTree(folder, incoming, entries)
    await oneByOne(async () => {
      await rename(incoming, tree(digest)).catch(async (error: NodeJS.ErrnoException) => {
        await discard(incoming)
        if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error
      })
      // Written anew also where it was there: its time says when it was added last.
      await writeAtomically(manifestFile(digest), text)
    })
    return { digest, bytes }
  }
  /** What is put in its place and what is taken away: a removal never meets half of an addition. */
  let last: Promise<unknown> = Promise.resolve()
  const oneByOne = <T>(act: () => Promise<T>): Promise<T> => {
    const mine = last.then(act, act)
    last = mine
    return mine
  }
  const addedAt = async (digest: Digest): Promise<Instant | undefined> =>
    (await stat(manifestFile(digest)).catch(() => undefined))?.mtimeMs
  return {
    manifest,
    add,
    async copy(digest, folder) {
      await copyTree(tree(digest), folder, await manifest(digest))
    },
    async at(digest) {
      await manifest(digest)
      return tree(digest)
    },
    has: (digest) =>
      manifest(digest).then(
        () => true,
        () => false,
      ),
    async pack(digest) {
      await manifest(digest)
      return packed(tree(digest))
    },
    async unpack(digest, tar) {
      const incoming = `${tree(digest)}.in-${process.pid}-${arrivals++}`
      await mkdir(incoming, { recursive: true })
      try {
        await unpackInto(incoming, tar)
        const { digest: found } = await add(incoming)
        // It lies under its own name, whatever that is; who wanted another one is not served by it.
        if (found !== digest) throw new Error(`what came is ${found} and not ${digest}`)
      } finally {
        await discard(incoming)
      }
    },
    addedAt,
    async remove(digest, addedBefore) {
      const going = `${tree(digest)}.gone`
      const bytes = await oneByOne(async () => {
        const at = await addedAt(digest)
        if (at !== undefined && at >= addedBefore) return undefined
        const known = await manifest(digest).catch(() => [])
        // First: what has no manifest is not there, however much of it still lies about.
        await rm(manifestFile(digest), { force: true })
        await discard(going)
        await rename(tree(digest), going).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== "ENOENT") throw error
        })
        return bytesOf(known)
      })
      await discard(going)
      return bytes
    },
  }
}

const bytesOf = (entries: readonly ManifestEntry[]): number =>
  entries.reduce((sum, entry) => sum + (entry.kind === "file" ? entry.size : 0), 0)

/** How many artifacts lie in a folder, and how much their files take. Changes nothing. */
export async function sizeOfArtifacts(
  dir: string,
): Promise<{ readonly count: number; readonly bytes: number }> {
  const manifests = (await readdir(dir)).filter((name) => /^[0-9a-f]{64}\.json$/.test(name))
  let bytes = 0
  for (const name of manifests)
    bytes += bytesOf(JSON.parse(await readFile(join(dir, name), "utf8")) as readonly ManifestEntry[])
  return { count: manifests.length, bytes }
}

let arrivals = 0

const hex = (digest: Digest): string => {
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw new Error(`${digest} is not a digest`)
  return digest.slice("sha256:".length)
}

/** The sorted list of everything in a folder; throws on what cannot be shipped. */
async function describe(root: string): Promise<readonly ManifestEntry[]> {
  const entries: ManifestEntry[] = []
  let bytes = 0
  for (const path of await walk(root)) {
    const full = join(root, path)
    const stat = await lstat(full)
    if (stat.isSymbolicLink()) {
      const target = await readlink(full)
      const points = relative(root, resolve(dirname(full), target))
      if (points === ".." || points.startsWith(`..${sep}`))
        throw new Error(`${path} links to ${target}, outside of the artifact`)
      entries.push({ path, kind: "link", target })
      continue
    }
    if (!stat.isFile())
      throw new Error(`${path} is neither a file nor a folder; it cannot be part of an artifact`)
    bytes += stat.size
    if (entries.length >= mostFiles) throw new Error(`more than ${mostFiles} files; build only what runs`)
    if (bytes > mostBytes) throw new Error("larger than 2 GiB; build only what runs")
    const mode = stat.mode & 0o111 ? 0o555 : 0o444
    entries.push({ path, kind: "file", mode, size: stat.size, sha256: await sha256(full) })
  }
  return entries
}

/** Relative paths of all files and links below a folder, sorted; git's own folder is not part of a tree. */
export async function walk(root: string): Promise<readonly string[]> {
  const found: string[] = []
  const visit = async (folder: string): Promise<void> => {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) await visit(path)
      else found.push(path)
    }
  }
  await visit("")
  return found.sort()
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256")
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
  return hash.digest("hex")
}

async function copyTree(from: string, to: string, entries: readonly ManifestEntry[]): Promise<void> {
  await mkdir(to, { recursive: true })
  const folders = new Set<string>([to])
  for (const entry of entries) {
    const target = join(to, normalize(entry.path))
    let folder = dirname(target)
    await mkdir(folder, { recursive: true })
    while (!folders.has(folder)) {
      folders.add(folder)
      folder = dirname(folder)
    }
    if (entry.kind === "link") await symlink(entry.target, target)
    else {
      await copyFile(join(from, entry.path), target)
      await chmod(target, entry.mode)
    }
  }
  for (const folder of folders) await chmod(folder, 0o555)
}

/** Removes a tree whose folders are read-only. */
export async function discard(folder: string): Promise<void> {
  const open = async (path: string): Promise<void> => {
    const stat = await lstat(path).catch(() => undefined)
    if (!stat?.isDirectory()) return
    await chmod(path, 0o700)
    for (const name of await readdir(path)) await open(join(path, name))
  }
  await open(folder).catch(() => undefined)
  await rm(folder, { recursive: true, force: true })
}
