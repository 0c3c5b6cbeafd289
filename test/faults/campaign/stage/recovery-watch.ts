import type { ControlPlane } from "../../../support/control-plane.ts"
import { pause } from "../../../support/until.ts"
import type { Trial } from "./trial.ts"

/**
 * Measures, for a control plane that dies again and again, the time from each death until its successor reconciles:
 * until the router obeys a newer epoch, which is what a fresh turn of the engine writes there before anything else.
 * Successors that die before that are not counted.
 */
export class RecoveryWatch {
  #over = false
  readonly #work: Promise<void>

  constructor(trial: Trial, plane: ControlPlane) {
    this.#work = this.#run(trial, plane)
  }

  async stop(): Promise<void> {
    this.#over = true
    await this.#work
  }

  async #run(trial: Trial, plane: ControlPlane): Promise<void> {
    let last = await trial.epoch().catch(() => 0)
    let starts = plane.starts
    while (!this.#over) {
      await pause(40)
      const epoch = await trial.epoch().catch(() => last)
      // Another term of the same process is no recovery.
      if (epoch > last && plane.starts > starts) {
        trial.findings.recoveries.push(performance.now() - plane.diedAt)
        starts = plane.starts
      }
      last = Math.max(last, epoch)
    }
  }
}
