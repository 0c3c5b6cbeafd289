import { execFileSync } from "node:child_process"
import { join } from "node:path"

/** A real repository with a branch for those at rest, and one of its own for each application that is to move. */
export class Repository {
  readonly url: string

  constructor(dir: string) {
    this.url = join(dir, "repository.git")
    execFileSync("git", ["init", "--quiet", "--bare", "--initial-branch=main", this.url])
  }

  /** A commit on each branch, on top of what is there. */
  commit(subject: string, branches: Readonly<Record<string, string>>): void {
    const data = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}\n`
    const lines = Object.entries(branches).map(([branch, config]) => {
      const who = `Ana <ana@example.com> ${Math.floor(Date.now() / 1_000)} +0000`
      const from = this.head(branch) ? `from refs/heads/${branch}^0\n` : ""
      return `commit refs/heads/${branch}\nauthor ${who}\ncommitter ${who}\n${data(subject)}${from}M 100644 inline immunity.yaml\n${data(config)}`
    })
    execFileSync("git", ["-C", this.url, "fast-import", "--quiet"], { input: lines.join("\n") })
  }

  /** Another name for the same commit. */
  branch(name: string, commit: string): void {
    execFileSync("git", ["-C", this.url, "branch", name, commit])
  }

  head(branch: string): string | undefined {
    try {
      const ref = `refs/heads/${branch}`
      return execFileSync("git", ["-C", this.url, "rev-parse", "--verify", "--quiet", ref], {
        encoding: "utf8",
      }).trim()
    } catch {
      return undefined
    }
  }
}
