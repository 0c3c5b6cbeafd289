import { shortCommit } from "../../core/model/ids.ts"
import type { RunPolicy } from "../../core/model/policy.ts"
import type { Application, Region } from "../../core/pipeline/application.ts"
import { costOf, spentBy } from "../../core/pipeline/cost.ts"
import { type Rollout, regionPolicy, terminal } from "../../core/rollout/rollout.ts"
import type { CostView } from "../contract/views.ts"
import { spoken } from "./words.ts"

const minutes = (time: number): number => Math.round(time / 6_000) / 10
const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`

/** What a rollout takes and has taken beside what serves, and what happens when its budget is spent. */
export function costView(app: Application, rollout: Rollout, at: number): CostView {
  const { surge } = rollout.policy
  const all = costOf(app, rollout.release, at)
  return {
    minutes: minutes(spentBy(rollout, at)),
    extra: rollout.cost?.extra ?? 0,
    ...(surge ? { ofRelease: minutes(all.spent), budget: minutes(surge.budget) } : {}),
    says: [...sizeOf(app, rollout), ...budgetOf(app, rollout, at)],
  }
}

/** Of all regions now; undefined when nothing runs beside what serves. */
export function costNow(app: Application): string | undefined {
  const beside = app.regions.flatMap(({ name }) => {
    const extra = Object.values(app.rollouts)
      .filter(({ region }) => region === name)
      .reduce((sum, { cost }) => sum + (cost?.extra ?? 0), 0)
    return extra > 0 ? [{ name, extra }] : []
  })
  const count = beside.reduce((sum, { extra }) => sum + extra, 0)
  if (count === 0) return undefined
  return `${plural(count, "instance")} beside what serves (${beside.map(({ name, extra }) => `${name} ${extra}`).join(", ")}): ${count * 60} instance minutes an hour`
}

/** What is about to be started, next to what serves: as many, and of the same class, or how not. */
function sizeOf(app: Application, rollout: Rollout): string[] {
  if (terminal(rollout.phase)) return []
  const { size } = regionPolicy(rollout)
  const fresh = `${plural(size, "fresh instance")}${classOf(rollout.policy.run)}`
  const region = app.regions.find(({ name }) => name === rollout.region)
  const serving = region && servingIn(app, region)
  if (!serving) return [`${fresh}; nothing serves yet`]
  const before = regionPolicy(serving).size
  const same = before === size && classOf(serving.policy.run) === classOf(rollout.policy.run)
  const commit = shortCommit(serving.release)
  return [
    same
      ? `${fresh}, as many and as large as what serves (${commit})`
      : `${fresh}, and what serves (${commit}) is ${plural(before, "instance")}${classOf(serving.policy.run)}`,
  ]
}

function servingIn(app: Application, region: Region): Rollout | undefined {
  return region.stable === undefined ? undefined : app.rollouts[region.stable]
}

function classOf({ memory, cpus }: RunPolicy): string {
  const said = [
    memory === undefined ? undefined : `${Math.round(memory / 1024 ** 2)} MB`,
    cpus === undefined ? undefined : plural(cpus, "processor"),
  ].filter((part) => part !== undefined)
  return said.length > 0 ? ` of ${said.join(" and ")}` : ""
}

/** Said beforehand: how long the budget lasts, and what its end means. */
function budgetOf(app: Application, rollout: Rollout, at: number): string[] {
  const { surge, run } = rollout.policy
  if (!surge) return []
  const { spent, extra } = costOf(app, rollout.release, at)
  const left = Math.max(0, surge.budget - spent)
  const size = Math.max(extra, regionPolicy(rollout).size)
  const what = `${minutes(spent)} of ${minutes(surge.budget)} instance minutes are spent over all of its regions`
  if (left === 0)
    return [
      surge.then === "release"
        ? `${what}: no old pool is kept any more, so there is no instant way back`
        : `${what}: a person is asked before the next region`,
    ]
  const lasts = `with ${plural(size, "instance")} beside what serves the rest lasts ${spoken(left / size)}`
  const then =
    surge.then === "ask"
      ? "a person is asked before the next region"
      : run.keep > 0
        ? "the kept pool is ended, and there is no instant way back"
        : "nothing happens, because nothing is kept"
  return [`${what}; ${lasts}, and then ${then}`]
}
