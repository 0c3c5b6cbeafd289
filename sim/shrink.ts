import { type Fired, ListedFaults } from "./faults.ts"
import { run } from "./run.ts"
import type { Happening, Scenario } from "./scenario.ts"

/** Everything that makes a run: what was decided before it, and what befell its calls. Plain JSON. */
export type Story = { readonly scenario: Scenario; readonly faults: readonly Fired[] }

const replay = (story: Story) => run(story.scenario, new ListedFaults(story.faults))

/** Which promise a story breaks first; undefined when it breaks none. */
const broken = async (story: Story): Promise<string | undefined> => (await replay(story)).violations[0]?.rule

/**
 * Makes a failing story as small as it gets while it still breaks the same promise: fewer control planes,
 * applications and releases first, then fewer faults (delta debugging), then shorter ones. Keyed chance keeps
 * everything that is left exactly as it was.
 */
export async function shrink(story: Story, atMostRuns = 600): Promise<Story> {
  const rule = await broken(story)
  if (rule === undefined) return story
  let runs = 0
  const fails = async (candidate: Story): Promise<boolean> =>
    runs++ < atMostRuns && (await broken(candidate)) === rule
  let best = story
  const attempt = async (candidate: Story): Promise<void> => {
    if (await fails(candidate)) best = candidate
  }
  const change = (more: Partial<Scenario>): Story => ({ ...best, scenario: { ...best.scenario, ...more } })
  for (const simpler of simplerWorlds(best.scenario)) await attempt(change(simpler))
  for (let before = -1; before !== best.faults.length + best.scenario.happenings.length; ) {
    before = best.faults.length + best.scenario.happenings.length
    const happenings = await fewest(best.scenario.happenings, (left) => fails(change({ happenings: left })))
    best = change({ happenings })
    const faults = await fewest(best.faults, (left) => fails({ ...best, faults: left }))
    best = { ...best, faults }
    for (const simpler of simplerWorlds(best.scenario)) await attempt(change(simpler))
  }
  for (let i = 0; i < best.faults.length; i++) {
    const faults = best.faults.map((fault, n) => (n === i ? { ...fault, forMs: 500 } : fault))
    await attempt({ ...best, faults })
  }
  for (let i = 0; i < best.scenario.happenings.length; i++) {
    const happenings = best.scenario.happenings.map((happening, n) =>
      n === i ? shorter(happening) : happening,
    )
    await attempt(change({ happenings }))
  }
  return best
}

const shorter = (happening: Happening): Happening =>
  "forMs" in happening ? { ...happening, forMs: 1_000 } : happening

function* simplerWorlds(scenario: Scenario): Generator<Partial<Scenario>> {
  if (scenario.replicas > 1) yield { replicas: 1 }
  if (scenario.apps.length > 1) for (const app of scenario.apps) yield { apps: [app] }
  const [app] = scenario.apps
  if (!app || scenario.apps.length > 1) return
  yield { apps: [{ ...app, secondRegion: false }] }
  yield { apps: [{ ...app, mirror: false }] }
  yield { apps: [{ ...app, gate: false }] }
  yield { apps: [{ ...app, size: 1 }] }
  if (app.releases.length === 1) return
  yield { apps: [{ ...app, releases: app.releases.slice(0, -1) }] }
  yield { apps: [{ ...app, releases: app.releases.slice(1) }] }
}

/** Delta debugging: removes ever smaller parts as long as it still fails without them. */
async function fewest<T>(
  all: readonly T[],
  fails: (left: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let left = all
  for (let size = Math.ceil(left.length / 2); left.length > 0 && size >= 1; ) {
    let removed = false
    for (let from = 0; from < left.length; ) {
      const without = [...left.slice(0, from), ...left.slice(from + size)]
      if (await fails(without)) {
        left = without
        removed = true
      } else from += size
    }
    if (!removed && size === 1) break
    if (!removed) size = Math.ceil(size / 2)
    size = Math.max(1, Math.min(size, left.length))
  }
  return left
}
