import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { chownSync, createWriteStream } from "node:fs"
import { lchown, mkdir, readdir, rename, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { AppName, Digest } from "../core/model/ids.ts"
import type { Instant } from "../core/model/time.ts"
import type { JobSpec } from "../core/pipeline/effects.ts"
import type { JobOutcome } from "../core/pipeline/input.ts"
import type { AgentJob } from "../ports/agent.ts"
import type { Artifacts } from "../ports/artifacts.ts"
import type { Builder } from "../ports/builder.ts"
import type { Clock } from "../ports/clock.ts"
import type { Sandbox } from "../ports/sandbox.ts"
import { discard, walk } from "./artifacts.ts"
import { confinedUser } from "./confine.ts"
import { readJson, writeAtomically } from "./files.ts"
import { LogFile, lastLine } from "./log-file.ts"
import { atMost } from "./tar.ts"

export type JobParts = {
  readonly dir: string
  readonly clock: Clock
  readonly builder: Builder
  readonly sandbox: Sandbox
  /** Where a test finds the tree of what it tests. */
  readonly artifacts: Pick<Artifacts, "copy">
  readonly path: string
}

/** Told of what was built before anybody else is. */
type Built = (app: AppName, digest: Digest) => Promise<void>

const kept = 200
const atOnce = 2
const mostSource = 1024 ** 3

/** Builds and tests: each runs once under its name, confined, with its log and its outcome on disk. */
export class Jobs {
  readonly #parts: JobParts
  readonly #built: Built
  readonly #ended: () => void
  readonly #jobs = new Map<string, AgentJob>()
  readonly #queue: (() => Promise<void>)[] = []
  readonly #stop = new AbortController()
  /** Outside of our own folder, which nobody else may enter: confined commands run as another user. */
  readonly #work: string
  #running = 0
  #arrivals = 0

  private constructor(parts: JobParts, built: Built, ended: () => void) {
    this.#parts = parts
    this.#built = built
    this.#ended = ended
    this.#work = join(
      tmpdir(),
      `immunity-work-${createHash("sha256").update(parts.dir).digest("hex").slice(0, 16)}`,
    )
  }

  /** `ended` is called whenever one has. */
  static async open(
    parts: JobParts,
    built: Built = async () => undefined,
    ended: () => void = () => undefined,
  ): Promise<Jobs> {
    const jobs = new Jobs(parts, built, ended)
    await mkdir(join(parts.dir, "jobs"), { recursive: true })
    await mkdir(join(parts.dir, "sources"), { recursive: true })
    await forgetOldSources(join(parts.dir, "sources"), parts.clock.now())
    await discard(jobs.#work)
    await mkdir(jobs.#work, { mode: 0o711 })
    for (const name of (await readdir(join(parts.dir, "jobs"))).filter((file) => file.endsWith(".json"))) {
      const job = (await readJson(join(parts.dir, "jobs", name))) as AgentJob
      if (job.state === "ended") jobs.#jobs.set(job.id, job)
      else await jobs.#end(job, { kind: "failed", because: "its agent was restarted while it ran" })
    }
    await jobs.#forgetOldest()
    return jobs
  }

  list(): readonly AgentJob[] {
    return [...this.#jobs.values()]
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await discard(this.#work)
  }

  async putSource(commit: string, tar: Readable): Promise<void> {
    const file = this.#source(commit)
    const incoming = `${file}.new-${this.#arrivals++}`
    try {
      await pipeline(tar, atMost(mostSource, "the source"), createWriteStream(incoming, { mode: 0o600 }))
      await rename(incoming, file)
    } catch (error) {
      await rm(incoming, { force: true })
      throw error
    }
  }

  /** Starts a job that is not known yet; a known name is a no-op. */
  async run(app: string, spec: JobSpec, url: string | undefined): Promise<void> {
    if (this.#jobs.has(spec.id)) return
    const job: AgentJob = {
      id: spec.id,
      app,
      state: "running",
      startedAt: this.#parts.clock.now(),
      outcome: undefined,
    }
    this.#jobs.set(spec.id, job)
    await this.#save(job)
    this.#queue.push(() => this.#carryOut(job, spec, url))
    this.#next()
  }

  #next(): void {
    while (this.#running < atOnce) {
      const work = this.#queue.shift()
      if (!work) return
      this.#running++
      void work().finally(() => {
        this.#running--
        this.#next()
      })
    }
  }

  async #carryOut(job: AgentJob, spec: JobSpec, url: string | undefined): Promise<void> {
    const log = new LogFile(logPath(this.#parts.dir, job.id))
    const workspace = join(this.#work, job.id)
    const outcome = await this.#outcomeOf(spec, workspace, url, log)
    log.close()
    // Before its end is told: whoever hears of it may bring the same source again at once.
    if (spec.kind === "build") await rm(this.#source(spec.commit), { force: true })
    await discard(workspace)
    if (outcome.kind === "built") await this.#built(job.app, outcome.digest)
    await this.#end(job, outcome)
  }

  async #outcomeOf(
    spec: JobSpec,
    workspace: string,
    url: string | undefined,
    log: LogFile,
  ): Promise<JobOutcome> {
    try {
      await mkdir(workspace, { recursive: true })
      return spec.kind === "build"
        ? await this.#build(spec, workspace, log)
        : await this.#test(spec, workspace, url, log)
    } catch (error) {
      return { kind: "failed", because: error instanceof Error ? error.message : String(error) }
    }
  }

  async #build(
    spec: Extract<JobSpec, { kind: "build" }>,
    workspace: string,
    log: LogFile,
  ): Promise<JobOutcome> {
    const [tree, scratch] = [join(workspace, "tree"), join(workspace, "scratch")]
    await mkdir(tree)
    await mkdir(scratch)
    await untar(this.#source(spec.commit), tree)
    await own(tree)
    await own(scratch)
    const order = {
      job: spec.id,
      commit: spec.commit,
      origin: spec.origin,
      workspace: tree,
      scratch,
      command: spec.command,
      output: spec.output,
      network: spec.network,
      timeout: spec.timeout,
    }
    const built = await this.#parts.builder.build(order, log.write, this.#stop.signal)
    if (built.kind === "built") return built
    const because = await withLastLine(built.because, logPath(this.#parts.dir, spec.id))
    return { kind: "failed", because: `${because}${offline(spec, because)}` }
  }

  async #test(
    spec: Extract<JobSpec, { kind: "test" }>,
    workspace: string,
    url: string | undefined,
    log: LogFile,
  ): Promise<JobOutcome> {
    const tree = join(workspace, "app")
    const home = join(workspace, "home")
    await this.#parts.artifacts.copy(spec.digest, tree)
    await mkdir(home)
    await own(home)
    const env = {
      PATH: this.#parts.path,
      HOME: home,
      TMPDIR: home,
      CI: "true",
      IMMUNITY_URL: url ?? "",
      IMMUNITY_RELEASE: spec.release,
      IMMUNITY_REGION: spec.region,
    }
    const outcome = await this.#parts.sandbox.run(
      // A test talks to the region's address, which is on this machine's own loopback.
      { command: spec.command, cwd: tree, env, timeout: spec.timeout, network: "allowed" },
      log.write,
      this.#stop.signal,
    )
    if (outcome.kind === "exited" && outcome.code === 0) return { kind: "passed" }
    const because =
      outcome.kind === "timed-out"
        ? `timed out after ${spec.timeout / 1_000} s and was ended`
        : outcome.kind === "killed"
          ? `ended by ${outcome.signal}`
          : `exit code ${outcome.code}`
    return { kind: "failed", because: await withLastLine(because, logPath(this.#parts.dir, spec.id)) }
  }

  async #end(job: AgentJob, outcome: JobOutcome): Promise<void> {
    const ended: AgentJob = { ...job, state: "ended", outcome }
    await this.#save(ended)
    this.#jobs.set(job.id, ended)
    this.#ended()
    await this.#forgetOldest()
  }

  /** The record and the log of what ended long ago. */
  async #forgetOldest(): Promise<void> {
    const ended = [...this.#jobs.values()].filter((job) => job.state === "ended")
    const oldest = ended.sort((a, b) => a.startedAt - b.startedAt).slice(0, Math.max(0, ended.length - kept))
    for (const { id } of oldest) {
      this.#jobs.delete(id)
      await rm(join(this.#parts.dir, "jobs", `${checked(id)}.json`), { force: true })
      await rm(logPath(this.#parts.dir, id), { force: true })
    }
  }

  #save(job: AgentJob): Promise<void> {
    return writeAtomically(join(this.#parts.dir, "jobs", `${checked(job.id)}.json`), JSON.stringify(job))
  }

  #source(commit: string): string {
    if (!/^[0-9a-f]{40,64}$/.test(commit)) throw new Error(`${commit} is not a commit id`)
    return join(this.#parts.dir, "sources", `${commit}.tar`)
  }
}

/** Where the log of a job or an instance is. */
export const logPath = (dir: string, id: string): string => join(dir, "logs", `${checked(id)}.log`)

function checked(id: string): string {
  if (!/^[a-z0-9][a-zA-Z0-9._-]{0,150}$/.test(id))
    throw new Error(`${id} is not a name of a job or an instance`)
  return id
}

const withLastLine = async (because: string, log: string): Promise<string> =>
  `${because}: ${await lastLine(log)}`

/** Says what to do when a build may have failed for want of a network. */
const offline = (spec: Extract<JobSpec, { kind: "build" }>, because: string): string =>
  spec.network === "none" &&
  /ENOTFOUND|EAI_AGAIN|ENETUNREACH|resolve host|unreachable|name resolution/i.test(because)
    ? " (builds have no network; build.network: allowed gives them one)"
    : ""

/** A source that was brought and never built is not kept for ever; one that just came is about to be built. */
async function forgetOldSources(folder: string, now: Instant): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    if (now - (await stat(path)).mtimeMs > 3_600_000) await rm(path, { force: true })
  }
}

function untar(file: string, into: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const tar = spawn("tar", ["-x", "--no-same-owner", "-f", file, "-C", into], {
      stdio: ["ignore", "ignore", "pipe"],
    })
    let said = ""
    tar.stderr.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-500)
    })
    tar.on("error", reject)
    tar.on("close", (code) =>
      code === 0 ? resolve() : reject(new Error(`the source could not be unpacked: ${said.trim()}`)),
    )
  })
}

/** Hands a folder to the user that confined commands run as. */
async function own(folder: string): Promise<void> {
  const uid = confinedUser()
  if (uid === undefined) return
  chownSync(folder, uid, uid)
  const folders = new Set<string>()
  for (const path of await walk(folder)) {
    const parts = path.split("/")
    for (let i = 1; i < parts.length; i++) folders.add(parts.slice(0, i).join("/"))
    await lchown(join(folder, path), uid, uid)
  }
  for (const inner of folders) chownSync(join(folder, inner), uid, uid)
}
