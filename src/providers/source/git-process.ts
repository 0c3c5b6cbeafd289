import { type ChildProcessByStdio, spawn } from "node:child_process"
import type { Readable } from "node:stream"
import type { Address } from "./git-address.ts"

/** One run of git. Arguments are an array and reach no shell; everything a caller was given stands behind `--`. */
export type GitRun = {
  readonly args: readonly string[]
  /** The bare repository to work in. */
  readonly dir?: string | undefined
  /** Which protocols may be spoken; none at all when absent. */
  readonly address?: Address | undefined
  readonly timeoutMs: number
  /** Bytes of output past which git is ended. */
  readonly limit: number
  readonly signal: AbortSignal
}

/** `code` 0: it did what it was asked to. Output is bytes: git promises no encoding. */
export type GitResult = { readonly code: number; readonly out: Buffer; readonly said: string }

/**
 * Runs git to its end. Throws, with a sentence, when it could not be started, took too long, said too much or
 * was aborted; whatever it started ends with it. `started` is told its process at once.
 */
export async function runGit(run: GitRun, started?: (pid: number) => void): Promise<GitResult> {
  const child = startGit(run)
  if (child.pid !== undefined) started?.(child.pid)
  const parts: Buffer[] = []
  let bytes = 0
  let stopped: string | undefined
  child.stdout.on("data", (part: Buffer) => {
    bytes += part.length
    if (bytes <= run.limit) {
      parts.push(part)
      return
    }
    stopped = `it said more than ${run.limit.toLocaleString("en")} bytes`
    endGroup(child)
  })
  const ended = await watchGit(child, run)
  const because = stopped ?? ended.stopped
  if (because !== undefined) throw new Error(`git ${run.args[0]} was ended: ${because}`)
  return { code: ended.code, out: Buffer.concat(parts), said: ended.said }
}

export type GitChild = ChildProcessByStdio<null, Readable, Readable>

/** Starts git, away from every configuration but ours, in a process group of its own. */
export function startGit(run: GitRun): GitChild {
  const { args, dir, address } = run
  const where = dir === undefined ? [] : ["--git-dir", dir]
  return spawn("git", [...where, ...settings, ...args], {
    cwd: "/",
    env: environment(address?.protocols),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  })
}

/** Waits for the end of git; `stopped` says why it was ended early. */
export function watchGit(
  child: GitChild,
  run: GitRun,
): Promise<{ readonly code: number; readonly said: string; readonly stopped: string | undefined }> {
  let said = ""
  let stopped: string | undefined
  const end = (because: string): void => {
    stopped ??= because
    endGroup(child)
  }
  const onAbort = (): void => end("it was asked to stop")
  const timer = setTimeout(
    () => end(`it took longer than ${Math.round(run.timeoutMs / 1_000)} s`),
    run.timeoutMs,
  )
  run.signal.addEventListener("abort", onAbort)
  if (run.signal.aborted) onAbort()
  child.stderr.on("data", (part: Buffer) => {
    said = (said + part.toString("utf8")).slice(-4_000)
  })
  return new Promise((resolve, reject) => {
    const done = (act: () => void): void => {
      clearTimeout(timer)
      run.signal.removeEventListener("abort", onAbort)
      act()
    }
    child.once("error", (error) =>
      done(() => reject(new Error(`git could not be started: ${error.message}. Install git.`))),
    )
    child.once("close", (code) => done(() => resolve({ code: code ?? -1, said: lastWords(said), stopped })))
  })
}

/** Ends git with everything that it started: a transport that hangs would outlive it. */
export function endGroup(child: GitChild): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  killGroup(child.pid)
}

/** Ends the git of that process, which another process may have started, with everything that it started. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // Gone already.
  }
}

/** No hooks, helpers, filters or submodules, whatever a repository or an account says; broken objects stay out. */
const settings: readonly string[] = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.attributesFile=/dev/null",
  "core.symlinks=false",
  "protocol.ext.allow=never",
  "submodule.recurse=false",
  "fetch.fsckObjects=true",
  // Old tools wrote these; they harm nobody.
  "fetch.fsck.zeroPaddedFilemode=ignore",
  "fetch.fsck.badTimezone=ignore",
  "fetch.fsck.missingSpaceBeforeDate=ignore",
  "gc.autoDetach=false",
  "http.lowSpeedLimit=1000",
  "http.lowSpeedTime=20",
  "credential.helper=",
  "core.askPass=",
].flatMap((setting) => ["-c", setting])

/** Only what git needs to find itself and its ssh keys: nothing of the control plane's own environment. */
function environment(protocols: string | undefined): NodeJS.ProcessEnv {
  const { PATH, HOME, SSH_AUTH_SOCK } = process.env
  return {
    PATH,
    HOME,
    SSH_AUTH_SOCK,
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_LITERAL_PATHSPECS: "1",
    // An empty list allows nothing; git reads it as such.
    GIT_ALLOW_PROTOCOL: protocols ?? "",
    GIT_SSH_COMMAND: "ssh -oBatchMode=yes -oConnectTimeout=10",
    GIT_SSH_VARIANT: "ssh",
  }
}

/** The last line that says something, as one that may be printed. */
function lastWords(said: string): string {
  const lines = plain(said)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("hint:"))
  const telling = lines.find((line) => /^(fatal|error|ERROR|remote|ssh):/.test(line)) ?? lines.at(-1) ?? ""
  return telling.slice(0, 300)
}

/** Text of a stranger without control characters, which a terminal would obey. */
export const plain = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced here
  text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, " ")
