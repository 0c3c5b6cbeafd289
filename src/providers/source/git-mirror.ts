import { existsSync } from "node:fs"
import { addAbortSignal, type Readable, Transform } from "node:stream"
import type { CommitId } from "../../core/model/ids.ts"
import type { SeenCommit } from "../../ports/source.ts"
import { readCommitId } from "./git-address.ts"
import { type GitLimits, megabyte } from "./git-limits.ts"
import { endGroup, type GitResult, type GitRun, plain, startGit, watchGit } from "./git-process.ts"

/** A bare copy of a repository, and who runs git in it. */
export type Mirror = {
  readonly dir: string
  readonly limits: GitLimits
  readonly run: (run: GitRun) => Promise<GitResult>
}

/** Whether the mirror has it. */
export async function hasCommit(mirror: Mirror, commit: CommitId, signal: AbortSignal): Promise<boolean> {
  if (!existsSync(mirror.dir)) return false
  const { code } = await ask(mirror, ["cat-file", "-e", `${commit}^{commit}`], signal, megabyte)
  return code === 0
}

/** The newest `limit` commits of the branch itself that `since` does not have, oldest first. */
export async function commitsBetween(
  mirror: Mirror,
  since: CommitId,
  head: CommitId,
  limit: number,
  signal: AbortSignal,
): Promise<readonly CommitId[]> {
  const args = [
    "rev-list",
    "--first-parent",
    `--max-count=${Math.max(1, Math.floor(limit))}`,
    head,
    `^${since}`,
    "--",
  ]
  const out = await local(mirror, args, signal)
  return out
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map(readCommitId)
    .reverse()
}

/** What is known of one commit in the mirror. With `since`, what changed from there on is among what it changed. */
export async function lookAt(
  mirror: Mirror,
  commit: CommitId,
  signal: AbortSignal,
  since?: CommitId,
): Promise<SeenCommit> {
  const format = "--format=%P%x00%s%x00%an%x00%ae%x00%ct"
  const args = [
    "log",
    "-1",
    "--no-color",
    "--no-show-signature",
    "--no-patch",
    "--encoding=UTF-8",
    format,
    commit,
    "--",
  ]
  const [parents = "", subject = "", author = "", email = "", at = ""] = (await local(mirror, args, signal))
    .toString("utf8")
    .trimEnd()
    .split("\0")
  const parent = parents.split(" ")[0]
  const changed = await changedIn(mirror, parent === "" ? undefined : parent, commit, signal)
  // Most pushes are one commit.
  const before = since === undefined || since === parent ? [] : await changedIn(mirror, since, commit, signal)
  return {
    commit,
    subject: line(subject, 500),
    author: line(author, 200),
    email: line(email, 200),
    committedAt: Number(at) * 1_000,
    changed: [...new Set([...changed, ...before])].sort(),
    config: await configAt(mirror, commit, signal),
  }
}

/** A tar of the tree; it breaks off with an error when git did, or when it is larger than allowed. */
export function archiveOf({ dir, limits }: Mirror, commit: CommitId, signal: AbortSignal): Readable {
  const { fetchMs, archiveBytes } = limits
  const args = ["archive", "--format=tar", commit]
  const run: GitRun = { args, dir, timeoutMs: fetchMs, limit: archiveBytes, signal }
  const child = startGit(run)
  let bytes = 0
  // The end is told only when git ended well: half a tree must not look like a whole one.
  const tar = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      if (bytes > archiveBytes)
        done(new Error(`the tree of ${commit} is larger than ${archiveBytes.toLocaleString("en")} bytes`))
      else done(null, chunk)
    },
    flush(done) {
      ended.then(
        ({ code, said, stopped }) =>
          done(code === 0 ? null : new Error(`git could not archive ${commit}: ${stopped ?? said}`)),
        done,
      )
    },
  })
  const ended = watchGit(child, run)
  ended.catch((error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))))
  tar.once("close", () => {
    endGroup(child)
    child.stdout.destroy()
  })
  child.stdout.pipe(tar)
  return addAbortSignal(signal, tar)
}

/** Paths that differ from an earlier commit, usually the one before it on the branch; without one, all of them. */
async function changedIn(
  mirror: Mirror,
  parent: string | undefined,
  commit: CommitId,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const trees = parent === undefined ? ["--root", commit] : [parent, commit]
  const options = ["-r", "-z", "--name-only", "--no-commit-id", "--no-renames", "--no-ext-diff"]
  const out = await local(mirror, ["diff-tree", ...options, ...trees, "--"], signal, 64 * megabyte)
  return out
    .toString("utf8")
    .split("\0")
    .filter((path) => path !== "")
    .slice(0, mirror.limits.paths)
}

/** A symbolic link is not followed: it is no configuration. */
async function configAt(mirror: Mirror, commit: CommitId, signal: AbortSignal): Promise<string | undefined> {
  const args = ["ls-tree", "-z", "--long", commit, "--", "immunity.yaml"]
  const entry = (await local(mirror, args, signal)).toString("utf8")
  const found = /^100(?:644|755) blob ([0-9a-f]{40,64}) +([0-9]+)\timmunity\.yaml\0$/.exec(entry)
  const [, blob, size] = found ?? []
  if (blob === undefined) return undefined
  const { configBytes } = mirror.limits
  if (Number(size) > configBytes) return " ".repeat(configBytes + 1)
  const read = await ask(mirror, ["cat-file", "blob", blob], signal, configBytes)
  return read.out.toString("utf8")
}

async function local(
  mirror: Mirror,
  args: readonly string[],
  signal: AbortSignal,
  limit = 4 * megabyte,
): Promise<Buffer> {
  const result = await ask(mirror, args, signal, limit)
  if (result.code !== 0) throw new Error(`git ${args[0]} failed in ${mirror.dir}: ${result.said}`)
  return result.out
}

const ask = (
  { dir, limits, run }: Mirror,
  args: readonly string[],
  signal: AbortSignal,
  limit: number,
): Promise<GitResult> => run({ args, dir, timeoutMs: limits.askMs, limit, signal })

/** One line of a stranger's text. */
const line = (text: string, length: number): string =>
  plain(text).replaceAll("\n", " ").trim().slice(0, length).toWellFormed()
