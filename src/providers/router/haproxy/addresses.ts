import { createServer } from "node:net"
import type { RouteSpec } from "../../../core/pipeline/effects.ts"
import { allDoors, type Book, withTable } from "./book.ts"

export type Found =
  | { readonly kind: "found"; readonly addresses: ReadonlyMap<string, string> }
  | { readonly kind: "in-use"; readonly because: string }

/** Where the routes of a table will listen: what has an address keeps it, port 0 becomes a free one. */
export async function addressesFor(book: Book, app: string, routes: readonly RouteSpec[]): Promise<Found> {
  const mine = new Set((book.apps[app]?.routes ?? []).map((route) => route.route))
  const next = withTable(book, { app, epoch: 0, generation: 0 }, routes, new Map())
  const ours = new Map(Object.entries(book.doors).map(([route, { address }]) => [address, route]))
  const held = new Set(allDoors(book).map((door) => door.address))
  const addresses = new Map<string, string>()
  for (const { route, listen } of routes) {
    const number = next.doors[route]?.number
    const known = allDoors(book).find((door) => door.number === number)
    const address = known?.listen === listen ? known.address : await free(listen, [...addresses.values()])
    const owner = ours.get(address)
    const foreign = owner !== undefined && !mine.has(owner) ? owner : undefined
    const twice = [...addresses].find(([, other]) => other === address)?.[0]
    if (twice ?? foreign) return inUse(`${route} cannot listen on ${address}: ${twice ?? foreign} does`)
    // What one of our own doors holds now, HAProxy hands from one to the other.
    const problem = !held.has(address) ? await problemAt(address) : undefined
    if (problem !== undefined) return inUse(`${route} cannot listen on ${address}: ${problem}`)
    addresses.set(route, address)
  }
  return { kind: "found", addresses }
}

async function free(listen: string, taken: readonly string[]): Promise<string> {
  if (!listen.endsWith(":0")) return listen
  const host = listen.slice(0, -2)
  for (;;) {
    const port = await new Promise<number>((resolve, reject) => {
      const server = createServer()
      server.once("error", reject)
      server.listen(0, host, () => {
        const address = server.address()
        server.close(() => resolve(typeof address === "object" && address ? address.port : 0))
      })
    })
    if (!taken.includes(`${host}:${port}`)) return `${host}:${port}`
  }
}

/** Why nobody could listen there; HAProxy itself would only say so in its log. */
const problemAt = (address: string): Promise<string | undefined> =>
  new Promise((resolve) => {
    const [host, port] = address.split(":")
    const server = createServer()
    server.once("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code === "EADDRINUSE" ? "another program does" : error.message),
    )
    server.listen(Number(port), host, () => server.close(() => resolve(undefined)))
  })

const inUse = (because: string): Found => ({ kind: "in-use", because })
