/** One of several processes that carry the traffic of a router; started and told by the first one. */
import { collectAlone } from "./collect-alone.ts"
import type { Alone, PreparedTable } from "./crew.ts"
import { Refusal } from "./refusal.ts"
import { openStation } from "./station.ts"
import type { Asked, Replied, WorkerOrder } from "./worker-wire.ts"

collectAlone()

let crew: Alone | undefined
let held: PreparedTable | undefined

async function obey(order: WorkerOrder): Promise<unknown> {
  if (order.verb === "begin") {
    crew = openStation(order.limits, order.tls)
    return true
  }
  if (!crew) throw new Error("a worker was told something before it began")
  switch (order.verb) {
    case "join": {
      const prepared = await crew.prepare(order.wanted)
      await prepared.commit(order.routes)
      return true
    }
    case "prepare":
      held = await crew.prepare(order.wanted)
      return [...held.addresses]
    case "commit":
      await held?.commit(order.routes)
      held = undefined
      return true
    case "abandon":
      await held?.abandon()
      held = undefined
      return true
    case "apply":
      await crew.apply(order.routes)
      return true
    case "in-flight":
      return crew.inFlight(order.instance)
    case "weightless-for":
      return crew.weightlessFor(order.instance)
    case "hold":
      await crew.hold(order.routes, order.forMs)
      return true
    case "requests-on":
      return crew.requestsOn(order.instances)
    case "cut":
      await crew.cut(order.instance)
      return true
    case "mark":
      await crew.mark(order.marks)
      return true
    case "instances":
      return crew.instances()
    case "stats":
      return crew.stats()
    case "drain": {
      await crew.drain(order.retiring)
      return crew.stats()
    }
  }
}

process.on("message", ({ id, order }: Asked) => {
  const reply = (replied: Replied): void => {
    process.send?.(replied, () => {
      if (order.verb === "drain") process.exit(0)
    })
  }
  obey(order).then(
    (value) => reply({ id, value }),
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error)
      const { status, code } = error instanceof Refusal ? error : { status: 500, code: "internal" }
      reply({ id, refused: { status, code, message } })
    },
  )
})
// The first process decides when a worker ends; a signal to the whole group must not cut users off.
process.on("SIGTERM", () => undefined)
process.on("SIGINT", () => undefined)
process.on("disconnect", () => process.exit(0))
