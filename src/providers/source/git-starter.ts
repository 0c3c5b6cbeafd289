import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type GitResult, type GitRun, runGit } from "./git-process.ts"

const program = fileURLToPath(
  new URL(
    import.meta.url.endsWith(".ts") ? "./git-starter-process.ts" : "./git-starter-process.js",
    import.meta.url,
  ),
)

/** Bytes in memory up to which a process starts git itself. */
const small = 256 * 1024 * 1024

export type ToStarter =
  | { readonly id: number; readonly run: Omit<GitRun, "signal"> }
  | { readonly id: number; readonly stop: true }
export type FromStarter =
  | { readonly id: number; readonly result: GitResult }
  | { readonly id: number; readonly because: string }

type Waiting = { readonly hear: (answer: FromStarter) => void; readonly lose: () => void }

/**
 * Runs git for small questions. To start a process the system copies the tables of all the memory of the one that starts
 * it, and each page that this one writes to until then: with ten thousand applications that costs more than git itself.
 * So a process that has grown lets a small one start git, which ends when it was not needed for a minute. When that one
 * is gone git is started as ever.
 */
export class GitStarter {
  readonly #small: number
  #child: ChildProcess | undefined
  readonly #waiting = new Map<number, Waiting>()
  #last = 0

  constructor(smallBytes = small) {
    this.#small = smallBytes
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** As `runGit` does. */
  async run(run: GitRun): Promise<GitResult> {
    if (process.memoryUsage.rss() <= this.#small || run.signal.aborted) return runGit(run)
    const answer = await this.#ask(run)
    if (answer === undefined) return runGit(run)
    if ("because" in answer) throw new Error(answer.because)
    return answer.result
  }

  /** Undefined when nobody is there who could answer. */
  #ask({ signal, ...run }: GitRun): Promise<FromStarter | undefined> {
    const child = this.#child ?? this.#start()
    child.channel?.ref()
    this.#last += 1
    const id = this.#last
    const say = (what: ToStarter, lost: () => void): void => void child.send(what, (error) => error && lost())
    const stop = (): void => say({ id, stop: true }, () => undefined)
    return new Promise<FromStarter | undefined>((resolve) => {
      const lose = (): void => resolve(undefined)
      this.#waiting.set(id, { hear: resolve, lose })
      signal.addEventListener("abort", stop)
      say({ id, run }, lose)
    }).finally(() => {
      signal.removeEventListener("abort", stop)
      this.#waiting.delete(id)
      if (this.#waiting.size === 0) child.channel?.unref()
    })
  }

  #start(): ChildProcess {
    const { PATH, HOME, SSH_AUTH_SOCK } = process.env
    const child = fork(program, [], {
      // What git finds itself and its keys with, and nothing else of our environment.
      env: { PATH, HOME, SSH_AUTH_SOCK },
      execArgv: [
        "--max-old-space-size=64",
        "--max-semi-space-size=1",
        "--disable-warning=ExperimentalWarning",
      ],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    })
    this.#child = child
    child.unref()
    child.on("message", (said) => this.#waiting.get((said as FromStarter).id)?.hear(said as FromStarter))
    const gone = (): void => {
      if (this.#child !== child) return
      this.#child = undefined
      for (const { lose } of [...this.#waiting.values()]) lose()
    }
    child.on("error", gone)
    child.on("disconnect", gone)
    child.on("exit", gone)
    return child
  }
}
