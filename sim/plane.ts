import { createEngine, type Engine } from "../src/engine/engine.ts"
import type { Cluster } from "./cluster.ts"
import { planeParts } from "./plane-parts.ts"
import { epoch } from "./policy.ts"

/** A control plane's process. A crash is a promise that is never kept: what waited for it never goes on. */
export class Plane {
  readonly name: string
  /** Rises with each start; whatever belongs to an older life is never run. */
  life = 0
  up = false
  engine: Engine | undefined
  pausedUntil = 0
  /** Its own clocks: how fast they go, and how far off the wall is. */
  rate = 1
  wallOffset = 0
  /** Its mono at the last moment when its rate changed. */
  #monoBase = 0
  #monoFrom = 0
  readonly #cluster: Cluster

  constructor(name: string, cluster: Cluster) {
    this.name = name
    this.#cluster = cluster
  }

  start(): void {
    if (this.up) return
    this.life++
    this.up = true
    this.pausedUntil = 0
    this.#cluster.tell(this.name, "starts")
    const engine = createEngine(planeParts(this.#cluster, this, this.life))
    this.engine = engine
    const { life } = this
    engine.start().catch((error: unknown) => {
      if (this.life !== life) return
      // serve ends when it cannot begin, and whoever watches over it starts it again.
      this.crash(`could not start: ${error instanceof Error ? error.message : String(error)}`)
      this.#cluster.timeline.in(2_000, () => {
        this.start()
        return true
      })
    })
  }

  crash(because: string): void {
    if (!this.up) return
    this.#cluster.tell(this.name, `dies: ${because}`)
    this.#cluster.callTroubleAt = this.#cluster.timeline.now
    this.up = false
    this.engine = undefined
    this.#cluster.check.planeDied(this.name)
  }

  pause(forMs: number): void {
    this.#cluster.callTroubleAt = this.#cluster.timeline.now + forMs
    this.pausedUntil = Math.max(this.pausedUntil, this.#cluster.timeline.now + forMs)
    this.#cluster.tell(this.name, `stands still for ${forMs} ms`)
  }

  /** Runs something in its life; later when it stands still, never when that life is over. */
  deliver(life: number, run: () => boolean): boolean {
    if (!this.up || this.life !== life) return false
    if (this.pausedUntil > this.#cluster.timeline.now) {
      this.#cluster.timeline.at(this.pausedUntil, () => this.deliver(life, run))
      return false
    }
    return run()
  }

  mono(): number {
    return this.#monoBase + (this.#cluster.timeline.now - this.#monoFrom) * this.rate
  }

  wall(): number {
    return Math.floor(epoch + this.mono() + this.wallOffset)
  }

  goAt(rate: number): void {
    this.#monoBase = this.mono()
    this.#monoFrom = this.#cluster.timeline.now
    this.rate = rate
  }
}
