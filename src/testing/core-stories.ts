import type { Rollout } from "../core/rollout/rollout.ts"
import { CoreWorld, papiPolicy, verdict } from "./core-world.ts"

const ok = verdict("ok", true)

/** A world in which a first release serves everywhere. */
export function served(policy = papiPolicy()): CoreWorld {
  const world = new CoreWorld()
  world.push("a1", policy)
  world.allTheWay()
  return world
}

/** ... and a second one stands at half of prod3, under judgement. */
export function atProd3(
  policy = papiPolicy(),
  changed?: readonly string[],
): { readonly world: CoreWorld; readonly commit: string; readonly rollout: () => Rollout } {
  const world = served()
  const commit = world.push("b2", policy, changed)
  for (let i = 0; i < 10; i++) {
    world.settle()
    world.approveAll()
    const prod3 = active(world, "prod3")
    if (prod3?.phase.name === "shifting") break
    world.look([ok])
  }
  world.settle()
  const rollout = () => active(world, "prod3") ?? newest(world, "prod3")
  if (rollout().phase.name !== "shifting") throw new Error(`prod3 is ${rollout().phase.name}`)
  return { world, commit, rollout }
}

export const active = (world: CoreWorld, region: string): Rollout | undefined => {
  const number = world.state.regions.find((known) => known.name === region)?.active
  return number === undefined ? undefined : world.state.rollouts[number]
}

export function newest(world: CoreWorld, region: string): Rollout {
  const found = Object.values(world.state.rollouts)
    .filter((rollout) => rollout.region === region)
    .at(-1)
  if (!found) throw new Error(`no rollout in ${region}`)
  return found
}

export const weights = (world: CoreWorld, region: string) =>
  world.state.regions.find((known) => known.name === region)?.weights
