import { connect, createServer, type Server, type Socket } from "node:net"
import { PostgresServer, postgresBin } from "../../../support/postgres.ts"
import { until } from "../../../support/until.ts"
import { SharedStore } from "./shared.ts"

/**
 * A PostgreSQL, a standby that receives from it all that is written, and one address that leads to whichever of them is
 * written to, as a proxy before them would.
 */
export class Pair {
  /** By the one address. */
  readonly store: SharedStore
  /** The timeline of the one that is written to. */
  timeline = 1
  #primary: PostgresServer
  #standby: PostgresServer | undefined
  readonly #door: Server
  readonly #through: Set<Socket>

  private constructor(primary: PostgresServer, door: Server, through: Set<Socket>, url: string) {
    this.#primary = primary
    this.#door = door
    this.#through = through
    this.store = new SharedStore(primary, url)
  }

  static async open(): Promise<Pair> {
    const primary = new PostgresServer(postgresBin ?? "")
    await primary.start()
    primary.create("immunity")
    const through = new Set<Socket>()
    const door = createServer((client) => pair.#lead(client))
    await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve))
    const address = door.address()
    const port = typeof address === "object" && address ? address.port : 0
    const pair = new Pair(primary, door, through, `postgres://immunity@127.0.0.1:${port}/immunity`)
    return pair
  }

  #lead(client: Socket): void {
    const server = connect(this.#primary.socket)
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#through.add(one)
      one.on("error", () => undefined)
      one.on("close", () => {
        this.#through.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  }

  /** Lets a fresh standby follow. With `synchronous` nothing is acknowledged any more that it has not got. */
  async follow(how: "synchronous" | "asynchronous"): Promise<void> {
    this.#standby = new PostgresServer(postgresBin ?? "", undefined, this.#primary)
    await this.#standby.start()
    if (how === "synchronous") await this.#primary.set("synchronous_standby_names", "standby")
    const state = how === "synchronous" ? "sync" : "async"
    await until("the standby to follow", async () => {
      const found = await this.#primary.ask(
        "select sync_state from pg_stat_replication where state = 'streaming'",
      )
      return found === state || undefined
    })
  }

  /** From now on the standby gets nothing. */
  async cutOff(): Promise<void> {
    await this.#standby?.set("primary_conninfo", "")
    await until("the standby to be cut off", async () => {
      return (await this.#primary.ask("select count(*) from pg_stat_replication")) === "0" || undefined
    })
  }

  /** Kills the one that is written to; `afterMs` later the standby is in its place, behind the same address. */
  async failOver(afterMs = 0): Promise<void> {
    const heir = this.#standby
    if (!heir) throw new Error("there is no standby")
    const dead = this.#primary
    await dead.kill()
    await new Promise((resolve) => setTimeout(resolve, afterMs))
    await heir.promote()
    this.#standby = undefined
    this.#primary = heir
    this.timeline += 1
    await dead.close()
  }

  async close(): Promise<void> {
    for (const socket of this.#through) socket.destroy()
    this.#door.close()
    await this.#standby?.close()
    await this.#primary.close()
  }
}
