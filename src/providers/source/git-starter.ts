import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type GitResult, type GitRun, killGroup, runGit } from "./git-process.ts"

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
  /** It runs, as this process. */
  { readonly id: number; readonly git: number } | Answer
type Answer =
  | { readonly id: number; readonly result: GitResult }
  | { readonly id: number; readonly because: string }

type Waiting = { readonly hear: (said: FromStarter) => void; readonly lose: () => void }

/** Milliseconds past its time, or after it was told to stop, in which it must have answered. */
const patience = 5_000

/**
 * Runs git for small questions. To start a process the system copies the tables of all the memory of the one that starts
 * it, and each page that this one writes to until then: with ten thousand applications that costs more than git itself.
 * So a process that has grown lets a small one start git, which ends when it was not needed for a minute. One that does
 * not answer in time is ended. When it is gone, what it had begun is ended and has failed, because it may have left
 * something half done; what it had not begun is started as ever.
 */
export class GitStarter {
  readonly #small: number
  readonly #patience: number
  #child: ChildProcess | undefined
  readonly #waiting = new Map<number, Waiting>()
  #last = 0

  constructor(smallBytes = small, patienceMs = patience) {
    this.#small = smallBytes
    this.#patience = patienceMs
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

  /** Undefined when nobody is there who could have begun it; rejects when it was begun and nobody can tell how it ended. */
  #ask({ signal, ...run }: GitRun): Promise<Answer | undefined> {
    const child = this.#child ?? this.#start()
    child.channel?.ref()
    this.#last += 1
    const id = this.#last
    const say = (what: ToStarter, lost: () => void): void => void child.send(what, (error) => error && lost())
    const endUnlessHeard = (): void => void (this.#waiting.has(id) && this.#end(child))
    // When we ourselves were busy for so long, its answer may be here, unread.
    const within = (ms: number) => setTimeout(() => setImmediate(endUnlessHeard), ms)
    let timer = within(run.timeoutMs + this.#patience)
    const stop = (): void => {
      say({ id, stop: true }, () => undefined)
      clearTimeout(timer)
      timer = within(this.#patience)
    }
    return new Promise<Answer | undefined>((resolve, reject) => {
      let git: number | undefined
      const lose = (): void => {
        this.#waiting.delete(id)
        if (git === undefined) return resolve(undefined)
        killGroup(git)
        reject(new Error(`git ${run.args[0]} was ended: the process that had started it is gone`))
      }
      const hear = (said: FromStarter): void => {
        if ("git" in said) git = said.git
        else resolve(said)
      }
      this.#waiting.set(id, { hear, lose })
      signal.addEventListener("abort", stop)
      say({ id, run }, lose)
    }).finally(() => {
      clearTimeout(timer)
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
    const end = (): void => this.#end(child)
    child.on("error", end)
    // Not its exit: what it said before may come later than that.
    child.on("disconnect", end)
    return child
  }

  /** It is gone, or as good as that; what waits for it waits no longer. */
  #end(child: ChildProcess): void {
    if (this.#child !== child) return
    this.#child = undefined
    child.kill("SIGKILL")
    for (const { lose } of [...this.#waiting.values()]) lose()
  }
}
