import type { InstanceId, JobId, RolloutNumber } from "../model/ids.ts"
import type { Ahead, Application } from "./application.ts"
import { type Draft, type Refusal, refuse } from "./draft.ts"
import { type Fact, poolNumber, type ServerFacts } from "./input.ts"

/** No store loses so many: a number that is further away is somebody's mistake, and stops nobody. */
const mostLost = 1_000_000
/** Named in the event; more are only counted on the way. */
const mostNamed = 20

/**
 * Servers that run, or route to, what this journal never asked for show that it is of an earlier time than they are: it
 * was restored from a backup, or its database lost writes. Rollouts are numbered in the journal before anybody hears
 * of one, so a number that it has not given out yet is proof.
 */
export function lookAhead(draft: Draft, { servers }: Extract<Fact, { type: "observed" }>): undefined {
  const { nextRollout } = draft.state
  const later = laterThan(draft.state, servers)
  if (later.length === 0) return
  const latest = Math.max(...later.map(({ of }) => of))
  // A pool is told of where nothing else is.
  const named = later.filter(({ id }) => id !== undefined)
  const shown = named.length > 0 ? named : later
  const ids = [...new Set(shown.map(({ id, of }) => id ?? `pool r${of}`))].slice(0, mostNamed)
  draft.conclude(
    { type: "servers-ahead", seen: ids, latest },
    `this journal has rollouts up to ${nextRollout - 1}, and ${ids.join(", ")} came later`,
  )
}

/** What servers show of rollouts that the journal has not numbered yet; a pool has no id. */
export function laterThan(
  { nextRollout }: Pick<Application, "nextRollout">,
  servers: readonly ServerFacts[],
): readonly { readonly id: InstanceId | JobId | undefined; readonly of: RolloutNumber }[] {
  const seen = servers.flatMap(({ instances, jobs, routes }) => [
    ...[...instances.map(({ instance }) => instance), ...(jobs ?? [])].map((id) => ({
      id,
      of: rolloutOf(id),
    })),
    ...poolsIn(routes).map((of) => ({ id: undefined, of })),
  ])
  return seen.filter(({ of }) => of >= nextRollout && of < nextRollout + mostLost)
}

/** Of an instance, `app-region-rN-M`, or of a test of one, `app-test-rN-sM-name`; 0 of all else, such as a drill. */
function rolloutOf(id: InstanceId | JobId): RolloutNumber {
  const [, ofInstance, ofTest] = /-r(\d{1,15})-\d+$|^[a-z][a-z0-9-]*?-test-r(\d{1,15})-s\d+-/.exec(id) ?? []
  return Number(ofTest ?? ofInstance ?? 0)
}

const poolsIn = (
  routes: Readonly<Record<string, Readonly<Record<string, number>>>> | undefined,
): readonly RolloutNumber[] =>
  Object.values(routes ?? {}).flatMap((pools) =>
    Object.keys(pools).map(poolNumber).filter(Number.isSafeInteger),
  )

/** While it lasts nothing is concluded and nothing is ordered; only a person can say that this journal is to count. */
export function refusedAsBehind({ app, ahead, removed }: Application): Refusal | undefined {
  if (!ahead) return undefined
  return refuse("behind", `nothing of ${app} is changed: ${whyBehind(ahead)}. ${howToGoOn({ app, removed })}`)
}

/** What was seen, in a sentence without its full stop. */
export const whyBehind = ({ seen }: Ahead): string =>
  `its servers are ahead of this journal, which knows nothing of ${seen.slice(0, 3).join(", ")}${seen.length > 3 ? ` and ${seen.length - 3} more` : ""}: ` +
  "its store was restored from an older backup, or its database lost writes"

/** What a person can do about it. */
export const howToGoOn = ({ app, removed }: Pick<Application, "app" | "removed">): string =>
  "What runs keeps running. Start from a later backup if there is one; or let this journal count: " +
  `immunity resume ${app} --reason WHY ${removed ? "ends what runs, because it was removed here" : "brings back what it says, and nobody leaves before somebody else can serve"}`
