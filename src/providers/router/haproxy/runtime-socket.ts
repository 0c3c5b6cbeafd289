import { connect } from "node:net"
import { join } from "node:path"

/** A server as a running HAProxy sees it. */
export type Seen = {
  readonly maintenance: boolean
  readonly draining: boolean
  /** Taken out by its own answers; one that is only silent may be well, with a cut in between. */
  readonly refuses: boolean
}

/** HAProxy's own processes: a master, the worker that serves, and workers that only finish what they began. */
export type Processes = { readonly master: number; readonly old: readonly number[] }

/** HAProxy reads at most 16 KB at once. */
const longestBatch = 8_000
/** What the last check of a server found, as HAProxy numbers it: time ran out on connecting, on TLS, on the answer. */
const silence = new Set([6, 9, 12])
const done = /^(New server registered\.|Server deleted\.)?$/

/** Speaks with a running HAProxy: with its worker, with workers of before a reload, and with their master. */
export class RuntimeSocket {
  readonly #dir: string

  constructor(dir: string) {
    this.#dir = dir
  }

  /** Says something to the worker that serves now. Throws a sentence when nobody answers. */
  ask(command: string): Promise<string> {
    return say(join(this.#dir, "admin.sock"), command)
  }

  /** Follows orders one after the other. Throws when one of them was not done. */
  async order(orders: readonly string[]): Promise<void> {
    for (const batch of batches(orders)) {
      const wrong = (await this.ask(batch.join(";"))).split("\n").find((answer) => !done.test(answer.trim()))
      if (wrong !== undefined) throw new Error(`haproxy refused one of "${batch.join("; ")}": ${wrong}`)
    }
  }

  /** Orders that may come too late. */
  async attempt(orders: readonly string[]): Promise<void> {
    for (const batch of batches(orders)) await this.ask(batch.join(";")).catch(() => "")
  }

  /** What a worker of before a reload answers; nothing when it is gone. */
  async askOld(pid: number, command: string): Promise<string> {
    return say(join(this.#dir, "master.sock"), `@!${pid} ${command}`).catch(() => "")
  }

  /** Whether a worker takes nobody new any more, or is gone. */
  async isStopping(pid: number): Promise<boolean> {
    return !/^Stopping: 0$/m.test(await this.askOld(pid, "show info"))
  }

  /** Ends what is under way on servers, by `backend/server`, in all workers. */
  async cut(servers: readonly string[], oldWorkers: readonly number[]): Promise<void> {
    await this.attempt(servers.map((server) => `shutdown sessions server ${server}`))
    const wanted = new Set(servers)
    for (const pid of oldWorkers) {
      const sessions = (await this.askOld(pid, "show sess")).split("\n")
      for (const session of sessions) {
        const [, id, backend, server] = /^(0x[0-9a-f]+):.* be=(\S+) srv=(\S+) /.exec(session) ?? []
        if (wanted.has(`${backend}/${server}`)) await this.askOld(pid, `shutdown session ${id}`)
      }
    }
  }

  /** Waits a moment: after a reload the new worker serves before the master listens again. */
  async processes(): Promise<Processes> {
    const deadline = performance.now() + 500
    let text: string | undefined
    while (text === undefined) {
      text = await say(join(this.#dir, "master.sock"), "show proc").catch((error: unknown) => {
        if (performance.now() > deadline) throw error
        return undefined
      })
      if (text === undefined) await new Promise((resolve) => setTimeout(resolve, 10))
    }
    const old = text.split("# old workers")[1]?.split("# programs")[0] ?? ""
    return {
      master: Number(/^(\d+)\s+master/m.exec(text)?.[1]),
      old: [...old.matchAll(/^(\d+)\s+worker/gm)].map(([, pid]) => Number(pid)),
    }
  }

  /** Asks the master for a new worker; which one serves is seen by its description. */
  async reload(): Promise<void> {
    await say(join(this.#dir, "master.sock"), "reload").catch(() => "")
  }

  async description(): Promise<string> {
    return describedIn(await this.ask("show info"))
  }

  /** What the worker that serves says of itself, and its servers by `backend/server`. */
  async servers(): Promise<{ readonly description: string; readonly servers: ReadonlyMap<string, Seen> }> {
    const text = await this.ask("show info;show servers state")
    const rows = text.split("\n").map((row) => row.split(" "))
    const servers = new Map(
      rows
        .filter((row) => /^d\d+p\d+$/.test(row[1] ?? ""))
        .map((row) => {
          const admin = Number(row[6])
          const maintenance = (admin & 0x01) !== 0
          const refuses = !maintenance && row[5] === "0" && !silence.has(Number(row[10]))
          return [`${row[1]}/${row[3]}`, { maintenance, draining: (admin & 0x08) !== 0, refuses }]
        }),
    )
    return { description: describedIn(text), servers }
  }

  /** Requests under way, by `backend/server`, over all workers. */
  async sessions(oldWorkers: readonly number[]): Promise<ReadonlyMap<string, number>> {
    const command = "show stat -1 4 -1"
    const all = await Promise.all([this.ask(command), ...oldWorkers.map((pid) => this.askOld(pid, command))])
    const found = new Map<string, number>()
    for (const row of all
      .join("\n")
      .split("\n")
      .map((one) => one.split(","))) {
      const name = `${row[0]}/${row[1]}`
      if (/^d\d+p\d+\/s\d+$/.test(name)) found.set(name, (found.get(name) ?? 0) + Number(row[4]))
    }
    return found
  }
}

const describedIn = (info: string): string => /^description: (.*)$/m.exec(info)?.[1] ?? ""

function batches(orders: readonly string[]): readonly (readonly string[])[] {
  const all: string[][] = []
  let length = longestBatch
  for (const order of orders) {
    if (length + order.length > longestBatch) {
      all.push([])
      length = 0
    }
    all.at(-1)?.push(order)
    length += order.length + 24
  }
  return all
}

function say(path: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path })
    const chunks: Buffer[] = []
    const limit = setTimeout(() => socket.destroy(new Error("took longer than 5 s")), 5_000)
    socket.on("data", (chunk: Buffer) => chunks.push(chunk))
    socket.on("error", (error) => reject(nobody(path, error)))
    socket.on("close", () => {
      clearTimeout(limit)
      resolve(Buffer.concat(chunks).toString("utf8"))
    })
    // The master waits for the end of what it is asked.
    socket.end(`${command}\n`)
  })
}

const nobody = (path: string, error: Error): Error =>
  new Error(`haproxy does not answer at ${path.split("/").slice(-2).join("/")}: ${error.message}`)
