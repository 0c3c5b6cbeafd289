import { livenessOf, lookBack, outcomes, unrest } from "./check/at-the-end.ts"
import type { Violation } from "./check/checks.ts"
import { Cluster, type Line } from "./cluster.ts"
import { type Faults, type Fired, RandomFaults } from "./faults.ts"
import { arrange } from "./happen.ts"
import { beOnDuty, submit } from "./operators.ts"
import type { Scenario } from "./scenario.ts"
import { withoutRealTime } from "./signals.ts"

export type Outcome = {
  readonly scenario: Scenario
  readonly fired: readonly Fired[]
  readonly happened: number
  readonly events: number
  readonly calls: number
  readonly violations: readonly Violation[]
  readonly hash: string
  readonly lines: readonly Line[]
}

export type RunOptions = {
  readonly tracing?: boolean
  /** Something more that happens; called before the first event. */
  readonly also?: (cluster: Cluster) => void
  /** How long to look on at rest, in virtual milliseconds. */
  readonly rest?: number | undefined
}

/** So long after the last fault everything must be done. */
const patience = 300_000
/** Whatever is done again and again at rest, every 4 s or more often, is done twice in it; the pace of rest is 3 s. */
const longRest = 8_100
/** An unchanged table is pushed every 10 s by whoever holds the application, and by nobody else. */
const pushedEvery = 9_000
/** A call is given up after so long, and then there is a turn. */
const answerLost = 9_000
/** So long after the last fault people have looked again, and taken back what they stopped. */
const cleanUp = 8_100
/** Without a fault an order is there after this long. */
const onItsWay = 100

/** Runs one scenario from the first commit until all is at rest, or until a promise is broken. */
export async function run(
  scenario: Scenario,
  faults: Faults = new RandomFaults(scenario),
  options: RunOptions = {},
): Promise<Outcome> {
  const cluster = new Cluster(scenario, faults, options.tracing)
  const { timeline, check } = cluster
  const broken = (): boolean => check.violations.length > 0
  const until = (at: number): Promise<void> => timeline.run(at, () => check.look(), broken)
  await withoutRealTime(
    (forMs, then) => timeline.limit(forMs, then),
    cluster.tracing,
    async () => {
      for (const plane of cluster.planes)
        timeline.in(0, () => {
          plane.start()
          return true
        })
      timeline.in(1, () => {
        for (const { name } of scenario.apps)
          submit(
            cluster,
            name,
            { type: "add-app", source: { url: name, branch: "main" } },
            "Mira",
            `add-${name}`,
          )
        return true
      })
      arrange(cluster)
      beOnDuty(cluster)
      options.also?.(cluster)
      await until(scenario.calmFrom)
      await beAtRest(cluster, until, broken, options.rest ?? longRest)
    },
  )
  if (!broken()) lookBack(cluster)
  if (!broken()) outcomes(cluster)
  return {
    scenario,
    fired: faults.fired,
    happened: scenario.happenings.length,
    events: timeline.events,
    calls: faults.asked,
    violations: check.violations,
    hash: cluster.digest.hex(),
    lines: cluster.lines,
  }
}

function isStopped({ check }: Cluster, app: string): boolean {
  const state = check.log.state(app)
  return (
    state !== undefined &&
    (state.paused !== undefined || state.locks.length > 0 || state.removed !== undefined)
  )
}

async function beAtRest(
  cluster: Cluster,
  until: (at: number) => Promise<void>,
  broken: () => boolean,
  rest: number,
): Promise<void> {
  const { check, scenario, timeline } = cluster
  const table = (): string => JSON.stringify(Object.values(cluster.server.tables).map(({ routes }) => routes))
  // Whoever waits for an answer that was lost has heard of everything and done nothing yet.
  const waits = (): boolean =>
    timeline.now < cluster.callTroubleAt + answerLost ||
    timeline.now < check.mutatedAt + onItsWay ||
    cluster.asking.size > 0 ||
    (timeline.now < scenario.calmFrom + cleanUp && scenario.apps.some(({ name }) => isStopped(cluster, name)))
  let tables: string
  do {
    tables = table()
    await until(timeline.now + 3_000)
  } while (
    !broken() &&
    (unrest(cluster) !== undefined || waits() || table() !== tables) &&
    timeline.now < scenario.calmFrom + patience
  )
  if (broken()) return
  const why = unrest(cluster)
  if (why !== undefined)
    return check.violated(livenessOf(why), `${why}, ${patience / 1_000} s after the last fault`)
  if (rest === 0) return
  check.mutations = 0
  await until(timeline.now + rest)
  if (broken()) return
  // The whole table is pushed at rest as well: constant work. Nothing else is, and it says the same.
  const pushes = scenario.apps.length * Math.ceil(rest / pushedEvery)
  if (check.mutations > pushes || table() !== tables)
    check.violated("L5", `${check.mutations} orders in ${rest / 1_000} s at rest`)
}
