import type { CommitId } from "../src/core/model/ids.ts"
import type { SeenCommit } from "../src/ports/source.ts"
import type { AppPlan, Nature } from "./scenario.ts"

/** Names the n-th commit of an application; its author wrote it and nobody else. */
export const commitId = (app: string, n: number): CommitId =>
  [...`${app}-${n}`]
    .map((letter) => letter.charCodeAt(0).toString(16))
    .join("")
    .padEnd(40, "0")

export const author = "ana@example.com"

/** Of the n-th release of its plan, for ever the same. */
type Pushed = { readonly at: number; readonly commit: SeenCommit }

/** The repositories: what was pushed until now, and what is wrong with them. */
export class SourceModel {
  lie: "unreachable" | "back" | undefined
  readonly #plans: ReadonlyMap<string, readonly Pushed[]>
  readonly #natures: ReadonlyMap<CommitId, Nature>
  readonly #now: () => number

  constructor(plans: readonly AppPlan[], now: () => number) {
    this.#plans = new Map(plans.map((plan) => [plan.name, pushedBy(plan)]))
    this.#natures = new Map(
      plans.flatMap(({ name, releases }) =>
        releases.map(({ nature }, n) => [commitId(name, n), nature] as const),
      ),
    )
    this.#now = now
  }

  head(app: string): CommitId {
    const pushed = this.#pushed(app)
    const back = this.lie === "back" ? Math.max(0, pushed.length - 2) : pushed.length - 1
    const head = pushed[back]
    if (!head) throw new Error("the repository is empty")
    return head.commit
  }

  commits(app: string, since: CommitId | undefined, head: CommitId, limit: number): readonly SeenCommit[] {
    const pushed = this.#pushed(app)
    const to = pushed.findIndex(({ commit }) => commit === head)
    const from = pushed.findIndex(({ commit }) => commit === since)
    return pushed.slice(from < 0 ? to : from + 1, to + 1).slice(-limit)
  }

  natureOf(commit: CommitId): Nature {
    return this.#natures.get(commit) ?? "good"
  }

  #pushed(app: string): readonly SeenCommit[] {
    if (this.lie === "unreachable") throw new Error("the repository does not answer")
    const now = this.#now()
    return (this.#plans.get(app) ?? []).flatMap(({ at, commit }) => (at <= now ? [commit] : []))
  }
}

const pushedBy = ({ name, releases }: AppPlan): readonly Pushed[] =>
  releases.map(({ at, irreversible }, n) => ({
    at,
    commit: {
      commit: commitId(name, n),
      subject: `change ${n}`,
      author: "Ana",
      email: author,
      committedAt: at,
      changed: irreversible ? ["db/migrate/1.sql"] : ["server.js"],
      config: name,
    },
  }))
