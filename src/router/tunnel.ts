import type { Socket } from "node:net"
import type { Member } from "./route.ts"
import type { Ticking, Traffic } from "./traffic.ts"

/** Joins a client and an instance; the instance has something in flight until both ways have ended. */
export function openTunnel(traffic: Traffic, member: Member, client: Socket, instance: Socket): void {
  member.counters.inFlight += 1
  const tunnel = new Tunnel(client, instance, traffic.lived, traffic.limits.tunnel, () => {
    member.counters.inFlight -= 1
    member.instance.underWay.leave(onInstance)
    traffic.underWay.leave(inAll)
  })
  const onInstance = member.instance.underWay.enter(tunnel)
  const inAll = traffic.underWay.enter(tunnel)
}

/** Two connections after an upgrade: bytes go through both ways, each way ends for itself. */
class Tunnel implements Ticking {
  readonly kind = "tunnel"
  readonly #client: Socket
  readonly #instance: Socket
  readonly #idle: number
  readonly #onEnd: () => void
  readonly #now: () => number
  #deadline: number
  #open = 2

  constructor(client: Socket, instance: Socket, now: () => number, idle: number, onEnd: () => void) {
    this.#client = client
    this.#instance = instance
    this.#idle = idle
    this.#onEnd = onEnd
    this.#now = now
    this.#deadline = now() + idle
    this.#join(client, instance)
    this.#join(instance, client)
    client.resume()
    instance.resume()
  }

  tick(now: number): void {
    if (now > this.#deadline) this.cut()
  }

  cut(): void {
    this.#client.destroy()
    this.#instance.destroy()
  }

  #join(from: Socket, to: Socket): void {
    from.on("data", (chunk: Buffer) => {
      this.#deadline = this.#now() + this.#idle
      if (!to.destroyed && !to.write(chunk)) from.pause()
    })
    to.on("drain", () => from.resume())
    from.on("end", () => to.end())
    from.on("error", () => to.destroy())
    from.on("close", (hadError: boolean) => {
      if (hadError || !from.readableEnded) to.destroy()
      this.#open -= 1
      if (this.#open === 0) this.#onEnd()
    })
    if (from.destroyed) queueMicrotask(() => this.cut())
  }
}
