import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { mkdir, rm } from "node:fs/promises"
import { join } from "node:path"
import type { CommitId } from "../../core/model/ids.ts"
import type { Source } from "../../core/pipeline/application.ts"
import { type Address, readAddress, readBranch, readCommitId, shown } from "./git-address.ts"
import { type GitLimits, megabyte } from "./git-limits.ts"
import { hasCommit, type Mirror } from "./git-mirror.ts"
import { type GitResult, type GitRun, plain } from "./git-process.ts"
import { GitStarter } from "./git-starter.ts"

/** Bare copies of repositories, one an address. Each is a cache: one that breaks is fetched anew. */
export class Mirrors {
  readonly #dir: string
  readonly #limits: GitLimits
  /** Who fetches into a mirror waits for whoever does so already. */
  readonly #fetching = new Map<string, Promise<unknown>>()
  readonly #starter = new GitStarter()

  constructor(dir: string, limits: GitLimits) {
    this.#dir = dir
    this.#limits = limits
  }

  /** The newest commit of the branch, asked of the repository itself. */
  async head(source: Source, signal: AbortSignal): Promise<CommitId> {
    const { address, branch } = read(source)
    const ref = `refs/heads/${branch}`
    const refs = await this.#remoteRefs(address, ref, signal)
    const id = refs.get(ref)
    if (id !== undefined) return readCommitId(id)
    const heads = [...(await this.#remoteRefs(address, "refs/heads/*", signal)).keys()]
    const others = heads.slice(0, 5).map((name) => plain(name.slice("refs/heads/".length)))
    throw new Error(
      others.length === 0
        ? `${shown(address.url)} has no commits yet: push one to the branch ${branch}.`
        : `${shown(address.url)} has no branch ${branch}. It has ${others.join(", ")}${heads.length > 5 ? " and more" : ""}: ` +
            "push the branch, or name another one.",
    )
  }

  /** The source's mirror, with this commit in it. */
  async having(source: Source, commit: CommitId, signal: AbortSignal): Promise<Mirror> {
    const { address, branch } = read(source)
    const dir = join(this.#dir, `${createHash("sha256").update(address.url).digest("hex").slice(0, 32)}.git`)
    const mirror: Mirror = { dir, limits: this.#limits, run: (run) => this.#starter.run(run) }
    if (await hasCommit(mirror, commit, signal)) return mirror
    const before = this.#fetching.get(dir) ?? Promise.resolve()
    const fetch = before.catch(() => {}).then(() => this.#fetch(dir, address, branch, signal))
    this.#fetching.set(dir, fetch)
    try {
      await fetch
    } finally {
      if (this.#fetching.get(dir) === fetch) this.#fetching.delete(dir)
    }
    if (await hasCommit(mirror, commit, signal)) return mirror
    throw new Error(
      `commit ${commit} is not on branch ${branch} of ${shown(address.url)}: the branch was moved past it, or it never was there.`,
    )
  }

  async #fetch(mirror: string, address: Address, branch: string, signal: AbortSignal): Promise<void> {
    const existed = existsSync(mirror)
    try {
      await this.#fetchOnce(mirror, address, branch, signal)
    } catch (error) {
      // A kill in the middle of a fetch leaves lock files or half a repository: a cache is made anew.
      const broken =
        error instanceof Error && /\.lock'|not a git repository|corrupt|bad object/i.test(error.message)
      if (!existed || !broken || signal.aborted) throw error
      await rm(mirror, { recursive: true, force: true })
      await this.#fetchOnce(mirror, address, branch, signal)
    }
  }

  async #fetchOnce(mirror: string, address: Address, branch: string, signal: AbortSignal): Promise<void> {
    const { askMs, fetchMs } = this.#limits
    if (!existsSync(mirror)) {
      await mkdir(this.#dir, { recursive: true, mode: 0o700 })
      // Without a template there are no hooks.
      const init = ["init", "--quiet", "--bare", "--template=", "--", mirror]
      const made = await this.#starter.run({ args: init, timeoutMs: askMs, limit: megabyte, signal })
      if (made.code !== 0) throw new Error(`git could not make the mirror ${mirror}: ${made.said}`)
    }
    const ref = `refs/heads/${branch}`
    const options = ["--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--force"]
    const args = ["fetch", ...options, "--", address.url, `+${ref}:${ref}`]
    await this.#remote(address, { args, dir: mirror, address, timeoutMs: fetchMs, limit: megabyte, signal })
  }

  async #remoteRefs(
    address: Address,
    pattern: string,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, string>> {
    const args = ["ls-remote", "--quiet", "--heads", "--", address.url, pattern]
    const { askMs } = this.#limits
    const result = await this.#remote(address, {
      args,
      address,
      timeoutMs: askMs,
      limit: 4 * megabyte,
      signal,
    })
    const lines = result.out.toString("utf8").split("\n")
    return new Map(
      lines.flatMap((line) =>
        line.includes("\t") ? [[line.slice(line.indexOf("\t") + 1), line.slice(0, line.indexOf("\t"))]] : [],
      ),
    )
  }

  /** Asks the repository itself; an answer that is a refusal becomes a sentence. */
  async #remote(address: Address, run: GitRun): Promise<GitResult> {
    const result = await this.#starter.run(run).catch((error: unknown) => {
      throw new Error(
        `${shown(address.url)} cannot be read: ${error instanceof Error ? error.message : String(error)}.`,
      )
    })
    if (result.code === 0) return result
    const because = result.said.replaceAll(address.url, shown(address.url)).replace(/^(fatal|error): /, "")
    // What git itself advises is a setting of the account, and none of those is read here.
    const remedy = because.includes("dubious ownership")
      ? "Let the folder belong to the user that this server runs as, or name it by ssh"
      : "Check the address, and that this server may read it"
    throw new Error(`${shown(address.url)} cannot be read: ${because}. ${remedy}.`)
  }
}

const read = (source: Source): { readonly address: Address; readonly branch: string } => ({
  address: readAddress(source.url),
  branch: readBranch(source.branch),
})
