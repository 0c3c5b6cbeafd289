import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** Two releases: each answers with its name. */
export async function openBackends() {
  const open = async (name: string) => {
    const server = createServer((_, response) => response.end(name))
    server.keepAliveTimeout = 60_000
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` }
  }
  const [one, two] = [await open("one"), await open("two")]
  return {
    one: one.address,
    two: two.address,
    close: async () => {
      for (const { server } of [one, two]) {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      }
    },
  }
}
