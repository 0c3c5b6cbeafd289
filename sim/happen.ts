import type { Cluster } from "./cluster.ts"
import { operate } from "./operators.ts"
import type { Happening } from "./scenario.ts"
import type { SimInstance } from "./server.ts"

/** Puts everything that will happen by itself onto the timeline. */
export function arrange(cluster: Cluster): void {
  for (const happening of cluster.scenario.happenings) {
    cluster.timeline.at(happening.at, () => {
      if (happening.kind !== "operator") cluster.trouble()
      cluster.tell("world", happening.kind)
      happen(cluster, happening)
      return true
    })
  }
}

function happen(cluster: Cluster, happening: Happening): void {
  const { server, source, store, timeline } = cluster
  const after = (forMs: number, undo: () => void): void =>
    timeline.in(forMs, () => {
      cluster.trouble()
      undo()
      return true
    })
  const plane = "replica" in happening ? cluster.planes[happening.replica % cluster.planes.length] : undefined
  switch (happening.kind) {
    case "crash":
      plane?.crash("kill -9")
      return after(happening.forMs, () => plane?.start())
    case "pause":
      plane?.pause(happening.forMs)
      // Until then its calls may still be on the way.
      return after(happening.forMs, () => {})
    case "partition": {
      const link = `${plane?.name}>${happening.from}`
      cluster.cut.add(link)
      return after(happening.forMs, () => void cluster.cut.delete(link))
    }
    case "clock-jump":
      if (plane) plane.wallOffset += happening.byMs
      return
    case "clock-rate":
      plane?.goAt(happening.rate)
      return
    case "instance-crash": {
      const instance = pickInstance(cluster, happening.pick)
      if (instance && instance.endedAt === undefined) instance.endedAt = timeline.now
      return
    }
    case "instance-flap": {
      const instance = pickInstance(cluster, happening.pick)
      if (instance) {
        instance.unreadySince = timeline.now
        instance.unreadyUntil = timeline.now + happening.forMs
      }
      return after(happening.forMs, () => {})
    }
    case "instance-modified": {
      const instance = pickInstance(cluster, happening.pick)
      if (instance) instance.differences = [{ path: "app.json", what: "changed" }]
      return
    }
    case "instance-vanish": {
      const instance = pickInstance(cluster, happening.pick)
      if (instance) server.forget(instance.spec.id)
      return
    }
    case "sick-world":
      server.traffic.advance(timeline.now)
      server.traffic.sick = true
      return after(happening.forMs, () => {
        server.traffic.advance(timeline.now)
        server.traffic.sick = false
      })
    case "router-restart":
      return server.traffic.restart(timeline.now)
    case "router-unreachable":
      server.routerProblem = "connect ENOENT router.sock"
      return after(happening.forMs, () => {
        server.routerProblem = undefined
      })
    case "metrics":
      server.metricsLie = happening.lie
      server.lieSince = timeline.now
      return after(happening.forMs, () => {
        server.metricsLie = undefined
      })
    case "source":
      source.lie = happening.lie
      return after(happening.forMs, () => {
        source.lie = undefined
      })
    case "store":
      store.problem =
        happening.lie === "full" ? "disk I/O error: the disk is full" : "attempt to write a readonly database"
      if (happening.lie === "full") cluster.noRoom = "the disk of the store is full"
      return after(happening.forMs, () => {
        store.problem = undefined
        cluster.noRoom = undefined
      })
    case "traffic":
      server.traffic.advance(timeline.now)
      server.traffic.rate *= happening.factor
      return after(happening.forMs, () => {
        server.traffic.advance(timeline.now)
        server.traffic.rate /= happening.factor
      })
    case "kill-switch":
      cluster.killSwitch = true
      cluster.check.killed()
      return after(happening.forMs, () => {
        cluster.killSwitch = false
      })
    case "operator":
      return operate(cluster, happening.order, happening.pick)
  }
}

function pickInstance({ server }: Cluster, pick: number): SimInstance | undefined {
  const living = [...server.instances.values()].filter((instance) => !instance.stopped)
  return living[pick % Math.max(1, living.length)]
}
