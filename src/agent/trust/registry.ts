import { createHash, randomBytes } from "node:crypto"
import { chmodSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import type { Clock } from "../../ports/clock.ts"
import type { Drained, JoinedServer } from "../../ports/fleet.ts"

const hashOf = (secret: string): string => createHash("sha256").update(secret).digest("hex")

/** Which servers have joined, which may, and which are drained: a file that control planes of one machine share. */
export class Registry {
  readonly #file: DatabaseSync
  readonly #clock: Pick<Clock, "now">

  private constructor(file: DatabaseSync, clock: Pick<Clock, "now">) {
    this.#file = file
    this.#clock = clock
  }

  static open(folder: string, clock: Pick<Clock, "now">): Registry {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const path = join(folder, "servers.db")
    const file = new DatabaseSync(path, { timeout: 5_000 })
    file.exec(`
      pragma journal_mode = wal;
      pragma synchronous = full;
      create table if not exists invitation (hash text primary key, server text not null, expires integer not null, by text not null);
      create table if not exists server (server text primary key, address text not null, key text not null, joined integer not null, expires integer not null);
      create table if not exists drained (server text primary key, at integer not null, by text not null, because text not null);
    `)
    chmodSync(path, 0o600)
    return new Registry(file, clock)
  }

  close(): void {
    this.#file.close()
  }

  /** A secret that lets one server join, once. Only its hash is kept. */
  invite(server: string, by: string, forMs: number): { readonly secret: string; readonly expiresAt: number } {
    const now = this.#clock.now()
    const secret = randomBytes(32).toString("base64url")
    this.#file.prepare("delete from invitation where server = ? or expires <= ?").run(server, now)
    this.#file
      .prepare("insert into invitation (hash, server, expires, by) values (?, ?, ?, ?)")
      .run(hashOf(secret), server, now + forMs, by)
    return { secret, expiresAt: now + forMs }
  }

  /** Uses an invitation up; false when there is none, or it is too late. Of two that ask at once one is let in. */
  redeem(server: string, secret: string): boolean {
    const used = this.#file
      .prepare("delete from invitation where hash = ? and server = ? and expires > ?")
      .run(hashOf(secret), server, this.#clock.now())
    return used.changes === 1
  }

  /** `key`: its public key, PEM. A server that joins again replaces what it was. */
  join(server: string, address: string, key: string, expires: number): void {
    this.#file
      .prepare("insert or replace into server (server, address, key, joined, expires) values (?, ?, ?, ?, ?)")
      .run(server, address, key, this.#clock.now(), expires)
  }

  renewed(server: string, expires: number): void {
    this.#file.prepare("update server set expires = ? where server = ?").run(expires, server)
  }

  /** The public key that a server joined with; undefined when it has not, or was removed. */
  keyOf(server: string): string | undefined {
    const row = this.#file.prepare("select key from server where server = ?").get(server)
    return row === undefined ? undefined : String(row.key)
  }

  joined(): readonly JoinedServer[] {
    return this.#file
      .prepare("select server, address, joined, expires from server order by server")
      .all()
      .map(({ server, address, joined, expires }) => ({
        server: String(server),
        address: String(address),
        joinedAt: Number(joined),
        expiresAt: Number(expires),
      }))
  }

  remove(server: string): boolean {
    this.#file.prepare("delete from invitation where server = ?").run(server)
    return this.#file.prepare("delete from server where server = ?").run(server).changes === 1
  }

  drain(server: string, by: string, because: string): void {
    this.#file
      .prepare("insert or ignore into drained (server, at, by, because) values (?, ?, ?, ?)")
      .run(server, this.#clock.now(), by, because)
  }

  undrain(server: string): void {
    this.#file.prepare("delete from drained where server = ?").run(server)
  }

  drained(server: string): Drained | undefined {
    const row = this.#file.prepare("select at, by, because from drained where server = ?").get(server)
    return row && { at: Number(row.at), by: String(row.by), because: String(row.because) }
  }
}
