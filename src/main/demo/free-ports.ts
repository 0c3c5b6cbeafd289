import { createServer } from "node:net"

/**
 * Ports of the loopback that nobody uses at the moment. They lie below those that a system gives to outgoing
 * connections, and processes that look for some at the same time begin at different ones: whoever asked has a port
 * only from when it listens there, which may be seconds later. Throws when there are not so many.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found: number[] = []
  for (let tries = 0; found.length < count; tries++) {
    if (tries === ports) throw new Error(`no ${count} free ports between ${first} and ${first + ports - 1}`)
    const port = first + (next++ % ports)
    if (await isFree(port)) found.push(port)
  }
  return found
}

const first = 10_000
const ports = 10_000
let next = (process.pid * 37) % ports

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => server.close(() => resolve(true)))
  })
