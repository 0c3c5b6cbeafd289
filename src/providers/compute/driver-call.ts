import { type ChildProcess, spawn } from "node:child_process"
import { type Answer, answers, read, refusalIn, type Verb } from "./driver-wire.ts"

const mostBytes = 4 * 1024 ** 2
const mostWords = 2_000
/** What a driver left running may hold its output open; nobody waits for that. */
const lateMs = 250

/** How long each verb may take, in ms; `stop` may take its grace besides. */
const patienceFor: Readonly<Record<Verb, number>> = {
  capabilities: 10_000,
  start: 60_000,
  stop: 30_000,
  forget: 30_000,
  edit: 30_000,
  list: 10_000,
  logs: 10_000,
  capacity: 10_000,
}

export type Driver = {
  /** An executable, by its absolute path. */
  readonly file: string
  /** Its working folder and HOME: what it remembers lies here. */
  readonly dir: string
  readonly path: string
  /** Replaces every patience; for whoever tries a driver out. */
  readonly patienceMs?: number | undefined
}

/** What came of one run, whatever it said. */
export type DriverRun = {
  readonly code: number | null
  readonly signal: string | null
  readonly out: string
  /** The last of what it wrote to stderr. */
  readonly said: string
  /** Why it was ended early. */
  readonly stopped: string | undefined
}

/** A driver answered that it will not; `code` is its own word for why, such as `no-capacity`. */
export class DriverRefusal extends Error {
  readonly code: string | undefined

  constructor(message: string, code: string | undefined) {
    super(message)
    this.code = code
  }
}

/**
 * One verb: a document in, a document out. Throws, with a sentence that names the driver and the verb, when it
 * fails, hangs, says too much, or answers what the protocol does not know.
 */
export async function callDriver<V extends Verb>(
  driver: Driver,
  verb: V,
  question: object,
  signal: AbortSignal,
  moreMs = 0,
): Promise<Answer<V>> {
  const patience = (driver.patienceMs ?? patienceFor[verb]) + moreMs
  const run = await runDriver(driver, verb, JSON.stringify({ version: 1, ...question }), patience, signal)
  const who = `the driver ${driver.file}`
  if (run.stopped !== undefined)
    throw new Error(`${who} was ended in \`${verb}\`: ${run.stopped}${words(run)}`)
  const document = parsed(run.out)
  const refusal = refusalIn(document)
  if (refusal) throw new DriverRefusal(`${who} refused \`${verb}\`: ${refusal.refused}`, refusal.code)
  if (run.code !== 0) {
    const how = run.code === null ? `by ${run.signal}` : `with exit code ${run.code}`
    throw new Error(`${who} ended \`${verb}\` ${how}${words(run)}`)
  }
  if (document === undefined)
    throw new Error(`${who} answered \`${verb}\` with what is not JSON: ${start(run.out)}${words(run)}`)
  const found = read(answers[verb], document)
  if ("wrong" in found)
    throw new Error(`${who} answered \`${verb}\` with what the protocol does not know: ${found.wrong}`)
  return found.answer as Answer<V>
}

/** Runs it to its end: no shell, an environment of four variables, bounded output, its whole group ended when it hangs. */
export function runDriver(
  driver: Driver,
  verb: string,
  input: string,
  patienceMs: number,
  signal: AbortSignal,
): Promise<DriverRun> {
  const child = spawn(driver.file, [verb], {
    cwd: driver.dir,
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: driver.path, HOME: driver.dir, LANG: "C.UTF-8", IMMUNITY_DRIVER_DIR: driver.dir },
  })
  const out: Buffer[] = []
  let bytes = 0
  let said = ""
  let stopped: string | undefined
  const end = (because: string) => {
    stopped ??= because
    endGroup(child)
  }
  child.stdin.on("error", () => undefined)
  child.stdin.end(input)
  child.stdout.on("data", (part: Buffer) => {
    bytes += part.length
    if (bytes <= mostBytes) out.push(part)
    else end(`it wrote more than ${mostBytes / 1024 ** 2} MB`)
  })
  child.stderr.on("data", (part: Buffer) => {
    said = (said + part.toString("utf8")).slice(-mostWords)
  })
  const onAbort = () => end("it was asked to stop")
  const timer = setTimeout(() => end(`it took longer than ${patienceMs / 1_000} s`), patienceMs)
  signal.addEventListener("abort", onAbort)
  if (signal.aborted) onAbort()
  return new Promise((resolve, reject) => {
    const settled = () => {
      clearTimeout(timer)
      signal.removeEventListener("abort", onAbort)
    }
    child.once("error", (error) => {
      settled()
      reject(new Error(`the driver ${driver.file} cannot be started: ${error.message}`))
    })
    child.once("exit", (code, by) => {
      settled()
      const done = () => {
        child.stdout.destroy()
        child.stderr.destroy()
        resolve({ code, signal: by, out: Buffer.concat(out).toString("utf8"), said: said.trim(), stopped })
      }
      const late = setTimeout(done, lateMs)
      child.once("close", () => {
        clearTimeout(late)
        done()
      })
    })
  })
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, "SIGKILL")
  } catch {
    // Gone already.
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const start = (text: string): string => (text.trim() === "" ? "nothing" : JSON.stringify(text.slice(0, 200)))
const words = ({ said }: DriverRun): string => (said === "" ? "" : `; it said: ${said.slice(-500)}`)
