import { execFileSync } from "node:child_process"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { buffer } from "node:stream/consumers"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { gitSource } from "./git.ts"
import type { GitLimits } from "./git-limits.ts"

let folder: string
let repo: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "immunity-git-"))
  repo = join(folder, "papi")
  git("init", "--quiet", "--initial-branch=main", repo)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const env = {
  PATH: process.env.PATH,
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "Eva Müller",
  GIT_AUTHOR_EMAIL: "eva@example.com",
  GIT_COMMITTER_NAME: "Eva Müller",
  GIT_COMMITTER_EMAIL: "eva@example.com",
  GIT_COMMITTER_DATE: "2026-01-02T03:04:05Z",
  GIT_AUTHOR_DATE: "2026-01-02T03:04:05Z",
}
const git = (...args: string[]): string =>
  execFileSync("git", existsSync(repo) ? ["-C", repo, ...args] : args, { env, encoding: "utf8" }).trim()

/** Commits these files; its id. */
const commit = (subject: string, files: Record<string, string>): string => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(repo, name)), { recursive: true })
    writeFileSync(join(repo, name), text)
  }
  git("add", "--all")
  git("commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "-m", subject)
  return git("rev-parse", "HEAD")
}

const signal = new AbortController().signal
const source = (limits: Partial<GitLimits> = {}) => gitSource({ dir: join(folder, "mirrors"), limits })
const papi = (branch = "main") => ({ url: repo, branch })

describe("a git repository as a source of commits", () => {
  it("tells the head, and each commit with its paths and its configuration", async () => {
    const first = commit("first", { "immunity.yaml": "app: papi\n", "a/b.js": "1" })
    const git1 = source()
    expect(await git1.head(papi(), signal)).toBe(first)
    expect(await git1.commits(papi(), undefined, first, 20, signal)).toEqual([
      {
        commit: first,
        subject: "first",
        author: "Eva Müller",
        email: "eva@example.com",
        committedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
        changed: ["a/b.js", "immunity.yaml"],
        config: "app: papi\n",
      },
    ])
    const second = commit("second", { "a/b.js": "2" })
    git("mv", "a/b.js", "a/c.js")
    const third = commit("third", { "immunity.yaml": "app: papi\nx: 1\n" })
    expect(await git1.head(papi(), signal)).toBe(third)
    const seen = await git1.commits(papi(), first, third, 20, signal)
    expect(seen.map((c) => [c.commit, c.changed, c.config])).toEqual([
      [second, ["a/b.js"], "app: papi\n"],
      [third, ["a/b.js", "a/c.js", "immunity.yaml"], "app: papi\nx: 1\n"],
    ])
    const cut = await git1.commits(papi(), first, third, 1, signal)
    expect(cut.map((c) => [c.commit, c.changed])).toEqual([[third, ["a/b.js", "a/c.js", "immunity.yaml"]]])
    expect(await git1.commits(papi(), third, third, 20, signal)).toEqual([])
    expect((await git1.commits(papi(), "a".repeat(40), third, 20, signal)).map((c) => c.commit)).toEqual([
      third,
    ])
  })

  it("counts all that a merge brings as changed, and does not list what was merged", async () => {
    const first = commit("first", { a: "1" })
    git("checkout", "--quiet", "-b", "work")
    commit("on the side", { "migrations/1.sql": "drop" })
    git("checkout", "--quiet", "main")
    const second = commit("second", { a: "2" })
    git("merge", "--quiet", "--no-ff", "-m", "merged", "work")
    const head = git("rev-parse", "HEAD")
    const seen = await source().commits(papi(), first, head, 20, signal)
    expect(seen.map((c) => [c.commit, c.changed])).toEqual([
      [second, ["a"]],
      [head, ["migrations/1.sql"]],
    ])
  })

  it("tells with the oldest commit what those before it changed, when a push is longer than what is told", async () => {
    const first = commit("first", { a: "1" })
    commit("takes a column away", { "migrations/2.contract.sql": "drop" })
    const third = commit("third", { a: "2" })
    const head = commit("fourth", { a: "3" })
    const seen = await source().commits(papi(), first, head, 2, signal)
    expect(seen.map((c) => [c.commit, c.changed])).toEqual([
      [third, ["a", "migrations/2.contract.sql"]],
      [head, ["a"]],
    ])
  })

  it("gives a tar of the tree at exactly the commit that was asked for", async () => {
    const first = commit("first", { "a.txt": "one" })
    commit("second", { "a.txt": "two", "b.txt": "two" })
    const tar = await buffer(await source().archive(papi(), first, signal))
    const out = join(folder, "out")
    mkdirSync(out)
    execFileSync("tar", ["-x", "-C", out], { input: tar })
    expect(readdirSync(out)).toEqual(["a.txt"])
    expect(execFileSync("cat", [join(out, "a.txt")], { encoding: "utf8" })).toBe("one")
    expect(await buffer(await source().archive(papi(), first, signal))).toEqual(tar)
  })

  it("follows a branch that was moved by force, and still has what it saw before", async () => {
    const first = commit("first", { a: "1" })
    const lost = commit("lost", { a: "2" })
    const git1 = source()
    await git1.commits(papi(), undefined, lost, 20, signal)
    git("reset", "--quiet", "--hard", first)
    const rewritten = commit("rewritten", { a: "3" })
    expect(await git1.head(papi(), signal)).toBe(rewritten)
    expect((await git1.commits(papi(), lost, rewritten, 20, signal)).map((c) => c.commit)).toEqual([
      rewritten,
    ])
    expect((await buffer(await git1.archive(papi(), lost, signal))).length).toBeGreaterThan(0)
    // A mirror that never saw it cannot have it.
    const git2 = gitSource({ dir: join(folder, "other") })
    git("reflog", "expire", "--expire=now", "--all")
    await expect(git2.commits(papi(), undefined, lost, 20, signal)).rejects.toThrow(/is not on branch main/)
  })

  it("says plainly what it cannot read", async () => {
    const git1 = source()
    await expect(git1.head(papi(), signal)).rejects.toThrow(/has no commits yet: push one to the branch main/)
    const head = commit("first", { a: "1" })
    await expect(git1.head(papi("prod"), signal)).rejects.toThrow(/has no branch prod\. It has main: push/)
    await expect(git1.commits(papi("prod"), undefined, head, 20, signal)).rejects.toThrow(
      /cannot be read: .*prod/,
    )
    const missing = { url: join(folder, "missing"), branch: "main" }
    await expect(git1.head(missing, signal)).rejects.toThrow(/missing cannot be read: .*Check the address/)
    await expect(git1.archive(papi(), "b".repeat(40), signal)).rejects.toThrow(/is not on branch main/)
    await expect(git1.archive(papi(), "HEAD", signal)).rejects.toThrow(/is not a commit id/)
    await expect(git1.commits(papi(), "--output=x", head, 1, signal)).rejects.toThrow(/is not a commit id/)
    await expect(git1.head(papi("--upload-pack=x"), signal)).rejects.toThrow(/is refused/)
  })

  it.skipIf(process.getuid?.() !== 0)("says whose a folder must be that git does not trust", async () => {
    commit("first", { a: "1" })
    execFileSync("chown", ["-R", "65534", repo])
    await expect(source().head(papi(), signal)).rejects.toThrow(
      /dubious ownership.* Let the folder belong to/,
    )
  })

  it("does not confuse a branch with another whose name ends alike", async () => {
    commit("first", { a: "1" })
    git("branch", "refs/heads/prod")
    await expect(source().head(papi("prod"), signal)).rejects.toThrow(/has no branch prod/)
  })

  it("has no configuration where there is none, a folder or a link, and lets its reader refuse a huge one", async () => {
    const none = commit("none", { a: "1" })
    symlinkSync("/etc/passwd", join(repo, "immunity.yaml"))
    const link = commit("link", {})
    rmSync(join(repo, "immunity.yaml"))
    const dir = commit("folder", { "immunity.yaml/x": "1" })
    rmSync(join(repo, "immunity.yaml"), { recursive: true })
    const huge = commit("huge", { "immunity.yaml": "x".repeat(300_000) })
    const git1 = source()
    for (const id of [none, link, dir])
      expect((await git1.commits(papi(), undefined, id, 1, signal))[0]?.config).toBeUndefined()
    expect((await git1.commits(papi(), undefined, huge, 1, signal))[0]?.config?.length).toBe(256 * 1024 + 1)
  })

  it("names only so many paths, and cuts and cleans what strangers wrote", async () => {
    const files = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${i}`, "x"]))
    const id = commit(`\u001b]52;c;aGk=\u0007red \u202e${"x".repeat(900)}`, files)
    const [seen] = await source({ paths: 10 }).commits(papi(), undefined, id, 1, signal)
    expect(seen?.changed).toHaveLength(10)
    expect(seen?.subject).toHaveLength(500)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they must be gone
    expect(seen?.subject).not.toMatch(/[\u0000-\u001f\u202e]/)
  })

  it("refuses a tree that is larger than allowed, instead of half of it", async () => {
    const id = commit("large", { a: "x".repeat(200_000) })
    const tar = await source({ archiveBytes: 100_000 }).archive(papi(), id, signal)
    await expect(buffer(tar)).rejects.toThrow(/is larger than 100,000 bytes/)
  })

  it("recovers from a mirror that a kill left locked or half made", async () => {
    const first = commit("first", { a: "1" })
    const git1 = source()
    await git1.commits(papi(), undefined, first, 1, signal)
    const [mirror = ""] = readdirSync(join(folder, "mirrors"))
    writeFileSync(join(folder, "mirrors", mirror, "refs", "heads", "main.lock"), "")
    const second = commit("second", { a: "2" })
    expect((await git1.commits(papi(), first, second, 5, signal)).map((c) => c.commit)).toEqual([second])
    rmSync(join(folder, "mirrors", mirror, "HEAD"))
    expect((await git1.commits(papi(), first, second, 5, signal)).map((c) => c.commit)).toEqual([second])
  })

  it("fetches once for many who ask at once", async () => {
    const first = commit("first", { a: "1" })
    const git1 = source()
    const all = await Promise.all(
      Array.from({ length: 5 }, () => git1.commits(papi(), undefined, first, 1, signal)),
    )
    expect(all.map((seen) => seen[0]?.commit)).toEqual(Array(5).fill(first))
  })
})

describe("a hostile repository", () => {
  it("runs nothing: neither its hooks nor its attributes nor its submodules", async () => {
    const proof = join(folder, "PWNED")
    const script = `#!/bin/sh\ntouch ${proof}\n`
    const id = commit("hostile", {
      ".gitattributes": "* filter=evil diff=evil\n",
      ".gitmodules": `[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% ${proof}\n`,
      a: "1",
    })
    for (const hook of [
      "post-checkout",
      "pre-auto-gc",
      "reference-transaction",
      "post-update",
      "post-upload-pack",
    ]) {
      mkdirSync(join(repo, ".git", "hooks"), { recursive: true })
      writeFileSync(join(repo, ".git", "hooks", hook), script)
      chmodSync(join(repo, ".git", "hooks", hook), 0o755)
    }
    for (const [key, value] of [
      ["filter.evil.smudge", `touch ${proof}`],
      ["diff.evil.command", `touch ${proof}`],
      ["diff.evil.textconv", `touch ${proof}`],
      ["core.fsmonitor", `touch ${proof}`],
      ["uploadpack.packObjectsHook", `touch ${proof}`],
      ["core.sshCommand", `touch ${proof}`],
    ])
      git("config", key ?? "", value ?? "")
    rmSync(proof, { force: true })
    const git1 = source()
    await git1.head(papi(), signal)
    await git1.commits(papi(), undefined, id, 1, signal)
    await buffer(await git1.archive(papi(), id, signal))
    expect(existsSync(proof)).toBe(false)
  })

  it("is given no environment of ours", async () => {
    commit("first", { a: "1" })
    const proof = join(folder, "PWNED")
    process.env.GIT_SSH_COMMAND = `touch ${proof}`
    process.env.GIT_EXTERNAL_DIFF = `touch ${proof}`
    process.env.GIT_DIR = "/nowhere"
    try {
      expect(await source().head(papi(), signal)).toMatch(/^[0-9a-f]{40}$/)
      const ssh = { url: "ssh://git@127.0.0.1:1/x", branch: "main" }
      await expect(source().head(ssh, signal)).rejects.toThrow(/cannot be read/)
    } finally {
      delete process.env.GIT_SSH_COMMAND
      delete process.env.GIT_EXTERNAL_DIFF
      delete process.env.GIT_DIR
    }
    expect(existsSync(proof)).toBe(false)
  })

  it("that never answers is given up, with everything that was started for it", async () => {
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve))
    const address = silent.address()
    const port = typeof address === "object" && address ? address.port : 0
    const slow = { url: `https://127.0.0.1:${port}/x.git`, branch: "main" }
    try {
      await expect(source({ askMs: 1_000 }).head(slow, signal)).rejects.toThrow(/took longer than 1 s/)
      const abort = new AbortController()
      const asked = source().head(slow, abort.signal)
      abort.abort()
      await expect(asked).rejects.toThrow(/asked to stop/)
      const left = (): string[] =>
        readdirSync("/proc").filter((pid) => {
          if (!/^\d+$/.test(pid)) return false
          try {
            return execFileSync("cat", [`/proc/${pid}/cmdline`], {
              encoding: "utf8",
              stdio: ["ignore", "pipe", "ignore"],
            }).includes(`127.0.0.1:${port}`)
          } catch {
            return false
          }
        })
      if (existsSync("/proc/self/cmdline")) await expect.poll(left, { timeout: 30_000 }).toEqual([])
    } finally {
      silent.close()
    }
  })
})
