import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { nameOf, original, renamed } from "./history.ts"

/** A real git repository for each application, as users have them. What was committed before all of them share. */
export class Repositories {
  /** Of the application that all others are made after. */
  readonly url: string
  /** The releases that every application had, oldest first. */
  readonly commits: readonly string[]

  constructor(dir: string, apps: number, releases: number) {
    this.url = join(dir, "repositories", `${original}.git`)
    mkdirSync(this.url, { recursive: true })
    execFileSync("git", ["init", "--quiet", "--bare", "--initial-branch=main", "--template=", this.url])
    this.commits = Array.from({ length: releases }, (_, i) => {
      this.commit(`release ${i + 1}`, { [original]: `version: 1 # ${i + 1}\n` })
      return this.#head(this.url) ?? ""
    })
    for (let number = 0; number < apps; number++) {
      const url = this.#of(nameOf(number))
      for (const folder of ["objects/info", "refs/heads"]) mkdirSync(join(url, folder), { recursive: true })
      for (const file of ["HEAD", "config"]) cpSync(join(this.url, file), join(url, file))
      writeFileSync(join(url, "objects/info/alternates"), `${join(this.url, "objects")}\n`)
      writeFileSync(join(url, "refs/heads/main"), `${this.commits.at(-1)}\n`)
    }
  }

  /** A commit for each application, with its configuration, on top of what is there. */
  commit(subject: string, configurations: Readonly<Record<string, string>>): void {
    const data = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}\n`
    for (const [app, config] of Object.entries(configurations)) {
      const url = this.#of(app)
      const who = `Ana <ana@example.com> ${Math.floor(Date.now() / 1_000)} +0000`
      const from = this.#head(url) ? "from refs/heads/main^0\n" : ""
      const input = `commit refs/heads/main\nauthor ${who}\ncommitter ${who}\n${data(subject)}${from}M 100644 inline immunity.yaml\n${data(config)}`
      execFileSync("git", ["-C", url, "fast-import", "--quiet"], { input })
    }
  }

  #of(app: string): string {
    return renamed(this.url, app)
  }

  #head(url: string): string | undefined {
    try {
      const args = ["-C", url, "rev-parse", "--verify", "--quiet", "refs/heads/main"]
      return execFileSync("git", args, { encoding: "utf8" }).trim()
    } catch {
      return undefined
    }
  }
}
