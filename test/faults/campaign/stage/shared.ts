import { hostname } from "node:os"
import type { ControlPlane } from "../../../support/control-plane.ts"
import { PostgresServer, postgresBin } from "../../../support/postgres.ts"
import { until } from "../../../support/until.ts"
import type { Booked } from "./clerk.ts"

/** A PostgreSQL that the control planes of a trial share, and what its tables say. */
export class SharedStore {
  readonly server: PostgresServer
  readonly url: string

  /** `url`: how a database of it is reached that is there already. */
  constructor(server: PostgresServer, url = server.create("immunity")) {
    this.server = server
    this.url = url
  }

  static async open(listen?: { readonly host: string; readonly port: number }): Promise<SharedStore> {
    const server = new PostgresServer(postgresBin ?? "", listen)
    await server.start()
    return new SharedStore(server)
  }

  async rows(text: string): Promise<readonly Record<string, unknown>[]> {
    const { default: pg } = await import("pg")
    const client = new pg.Client(this.url)
    await client.connect()
    try {
      return (await client.query(text)).rows
    } finally {
      await client.end()
    }
  }

  async booked(): Promise<readonly Booked[]> {
    const rows = await this.rows("select stream, version, because from event order by sequence")
    return rows.map(({ stream, version, because }) => ({
      stream: String(stream),
      version: Number(version),
      because: String(because),
    }))
  }

  /** Which of these control planes holds papi, and under which epoch. */
  async holder(planes: readonly ControlPlane[]): Promise<{ plane: ControlPlane; epoch: number }> {
    return until("a control plane that holds papi", async () => {
      const [row] = await this.rows("select owner, epoch from lease where key = 'app/papi'")
      const plane = planes.find(({ options }) => row?.owner === `${hostname()}:${options.dir}`)
      return plane && { plane, epoch: Number(row?.epoch) }
    })
  }

  close(): Promise<void> {
    return this.server.close()
  }
}

/** Why PostgreSQL cannot be had here. */
export const noPostgres = (): string | undefined =>
  postgresBin === undefined ? "PostgreSQL is not installed (Debian's package postgresql)" : undefined
