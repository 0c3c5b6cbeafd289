import { randomUUID } from "node:crypto"
import type { AppName } from "../core/model/ids.ts"
import type { News, Observed } from "../ports/agent.ts"

/** Remembers how each application was seen last, and so can say whose things have changed since a mark. */
export class Changes {
  readonly #life = randomUUID().slice(0, 8)
  readonly #last = new Map<AppName, string>()
  /** In which look it was seen to have changed. */
  readonly #changedIn = new Map<AppName, number>()
  #looks = 0

  /** How often anything had changed when this mark was given; NaN when it is not one of this life. */
  stirs(mark: string | undefined): number {
    const [life, , stirs] = (mark ?? "").split(" ")
    return life === this.#life ? Number(stirs) : Number.NaN
  }

  /** `stirs`: how often anything had changed before it was looked at; given back with the next question. */
  since(mark: string | undefined, seen: Observed, stirs: number): News {
    this.#looks++
    const now = essence(seen)
    for (const app of new Set([...now.keys(), ...this.#last.keys()])) {
      const essential = now.get(app) ?? ""
      if (this.#last.get(app) === essential) continue
      this.#last.set(app, essential)
      this.#changedIn.set(app, this.#looks)
    }
    const told = { mark: `${this.#life} ${this.#looks} ${stirs}` }
    const [life, look] = (mark ?? "").split(" ")
    if (life !== this.#life) return { ...told, changed: "all" }
    const changed = [...this.#changedIn].flatMap(([app, when]) => (when > Number(look) ? [app] : []))
    return { ...told, changed }
  }
}

/** Per application, everything that a decision could rest on; what differs with every look is left out. */
function essence({ instances, jobs, router, routerProblem }: Observed): ReadonlyMap<AppName, string> {
  const found = new Map<AppName, string>()
  const add = (app: AppName, what: unknown): void =>
    void found.set(app, `${found.get(app) ?? ""}${JSON.stringify(what)}`)
  for (const { app, id, state, address, exit, differences } of instances)
    add(app, [id, state, address, exit, differences])
  for (const { app, id, state, outcome } of jobs) add(app, [id, state, outcome])
  const gone = router === undefined ? (routerProblem ?? "") : router.degraded
  for (const [app, { epoch, routes }] of Object.entries(router?.apps ?? {})) add(app, [epoch, routes, gone])
  return found
}
