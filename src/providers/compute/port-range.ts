import { createServer } from "node:net"

/**
 * Ports in turn, of a range below those that a system gives to outgoing connections. Whoever asked has a port only from
 * when it listens there, which may be seconds later: so processes that look at the same time begin at different ones.
 */
export class PortRange {
  readonly #first: number
  readonly #size: number
  #next: number

  constructor(first: number, size: number) {
    this.#first = first
    this.#size = size
    this.#next = (process.pid * 37) % size
  }

  /** The next one that nobody uses at the moment and that is not `taken`. Throws when there is none. */
  async free(host: string, taken: ReadonlySet<number> = new Set()): Promise<number> {
    for (let tries = 0; tries < this.#size; tries++) {
      const port = this.#first + (this.#next++ % this.#size)
      if (!taken.has(port) && (await isFree(port, host))) return port
    }
    throw new Error(`no free port between ${this.#first} and ${this.#first + this.#size - 1}`)
  }
}

const isFree = (port: number, host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen({ port, host }, () => server.close(() => resolve(true)))
  })
