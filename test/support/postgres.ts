import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process"
import { appendFileSync, chownSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { temporaryFolder } from "../../src/main/demo/leftovers.ts"

const versions = "/usr/lib/postgresql"

/** Where Debian's PostgreSQL is, or undefined when it is not installed; said loudly once. */
export const postgresBin: string | undefined = (() => {
  const newest = existsSync(versions)
    ? readdirSync(versions).sort((a, b) => Number(b) - Number(a))[0]
    : undefined
  if (newest) return join(versions, newest, "bin")
  console.error(`SKIPPED: no PostgreSQL in ${versions}. Install Debian's package postgresql.`)
  return undefined
})()

/** A PostgreSQL of one's own: a fresh cluster in a temporary folder, on a socket of its own. */
export class PostgresServer {
  readonly #dir: string
  readonly #bin: string
  readonly #user: { readonly uid?: number; readonly gid?: number }
  readonly #listen: { readonly host: string; readonly port: number } | undefined
  #child: ChildProcess | undefined
  /** What its data are copied from before it starts for the first time. */
  #primary: PostgresServer | undefined

  /**
   * With `listen`, it also answers whoever comes over the network to that address. With `primary` it is a standby, by
   * the name of `standby`, that receives everything from there until it is promoted.
   */
  constructor(
    bin: string,
    listen?: { readonly host: string; readonly port: number },
    primary?: PostgresServer,
  ) {
    this.#bin = bin
    this.#listen = listen
    this.#dir = temporaryFolder("immunity-pg")
    // PostgreSQL refuses to run as root.
    this.#user = process.getuid?.() === 0 ? postgresUser() : {}
    if (this.#user.uid !== undefined && this.#user.gid !== undefined)
      chownSync(this.#dir, this.#user.uid, this.#user.gid)
    this.#primary = primary
    if (primary) return
    const data = join(this.#dir, "data")
    this.#run("initdb", "--pgdata", data, "--username", "immunity", "--auth", "trust", "--encoding", "UTF8")
    if (listen) appendFileSync(join(data, "pg_hba.conf"), "host all all all trust\n")
  }

  /** Its socket. */
  get socket(): string {
    return join(this.#dir, `.s.PGSQL.${this.#listen?.port ?? 5432}`)
  }

  /** The address of a database of this server. */
  url(database: string): string {
    const port = this.#listen?.port ?? 5432
    return `postgres://immunity@localhost:${port}/${database}?host=${encodeURIComponent(this.#dir)}`
  }

  /** Starts it and waits until it answers; it refuses while processes of a killed one still end, so it is tried again. */
  async start(): Promise<void> {
    await this.#copy()
    const deadline = Date.now() + 180_000
    while (Date.now() < deadline) {
      if (!this.#child || this.#child.exitCode !== null) this.#child = this.#spawn()
      if (this.#answers()) return
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error("PostgreSQL did not start within 60 s")
  }

  async #copy(): Promise<void> {
    const from = this.#primary
    if (!from) return
    this.#primary = undefined
    const address = `host=${from.#dir} port=${from.#listen?.port ?? 5432} user=immunity application_name=standby`
    const how = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
    await this.#tool("pg_basebackup", "--pgdata", join(this.#dir, "data"), "--dbname", address, ...how)
  }

  /** Makes a standby the one that is written to; resolves when it is. */
  async promote(): Promise<void> {
    await this.#tool("pg_ctl", "promote", "--pgdata", join(this.#dir, "data"), "--wait", "--silent")
  }

  /** Changes a setting for good. */
  async set(setting: string, value: string): Promise<void> {
    await this.ask(`alter system set ${setting} = '${value}'`)
    await this.ask("select pg_reload_conf()")
  }

  /** What the server itself says, as text. */
  ask(text: string): Promise<string> {
    const port = String(this.#listen?.port ?? 5432)
    return this.#tool("psql", "-h", this.#dir, "-p", port, "-U", "immunity", "-Atc", text, "postgres")
  }

  #spawn(): ChildProcess {
    const { host = "", port = 5432 } = this.#listen ?? {}
    const where = ["-c", `listen_addresses=${host}`, "-p", String(port)]
    const args = ["-D", join(this.#dir, "data"), "-k", this.#dir, ...where]
    return spawn(join(this.#bin, "postgres"), args, { ...this.#user, stdio: "ignore", cwd: this.#dir })
  }

  #answers(): boolean {
    try {
      this.#run("pg_isready", "-q", "-h", this.#dir, "-p", String(this.#listen?.port ?? 5432))
      return true
    } catch {
      return false
    }
  }

  /** A fresh database; its address. */
  create(database: string): string {
    const port = String(this.#listen?.port ?? 5432)
    this.#run("createdb", "-h", this.#dir, "-p", port, "-U", "immunity", database)
    return this.url(database)
  }

  /** As if its machine lost power; resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null) return
    const gone = new Promise((resolve) => child.once("exit", resolve))
    // Stopped first, so that it begins no other process: those it has would live on for a moment, and store something.
    child.kill("SIGSTOP")
    const others = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8")
    child.kill("SIGKILL")
    for (const pid of others.split(" ").filter(Boolean)) endNow(Number(pid))
    await gone
  }

  async close(): Promise<void> {
    const child = this.#child
    if (child && child.exitCode === null) {
      const gone = new Promise((resolve) => child.once("exit", resolve))
      child.kill("SIGINT")
      await gone
    }
    rmSync(this.#dir, { recursive: true, force: true })
  }

  async #tool(tool: string, ...args: readonly string[]): Promise<string> {
    const options = { ...this.#user, cwd: this.#dir }
    return (await promisify(execFile)(join(this.#bin, tool), args, options)).stdout.trim()
  }

  #run(tool: string, ...args: readonly string[]): void {
    execFileSync(join(this.#bin, tool), args, { ...this.#user, stdio: "ignore", cwd: this.#dir })
  }
}

function endNow(pid: number): void {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // It ended by itself meanwhile.
  }
}

function postgresUser(): { readonly uid: number; readonly gid: number } {
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }))
  return { uid: id("-u"), gid: id("-g") }
}
