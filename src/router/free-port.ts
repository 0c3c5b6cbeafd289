import { createServer } from "node:net"
import { Refusal } from "./refusal.ts"

/** A port that nobody has: the preferred one where it is free. Throws a 409 when there is none. */
export async function freePort(host: string, preferred: number | undefined): Promise<number> {
  const found = (preferred === undefined ? undefined : await tried(host, preferred)) ?? (await tried(host, 0))
  if (found === undefined) throw new Refusal(409, "address-in-use", `no port is free at ${host}`)
  return found
}

const tried = (host: string, port: number): Promise<number | undefined> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(undefined))
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address ? address.port : undefined))
    })
  })
