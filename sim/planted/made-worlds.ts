import type { MadeWorld } from "./made-world.ts"
import { worldsOfCalls } from "./worlds/of-calls.ts"
import { worldsOfInstances } from "./worlds/of-instances.ts"
import { worldsOfPeople } from "./worlds/of-people.ts"

const all = { ...worldsOfCalls, ...worldsOfInstances, ...worldsOfPeople }

export type MadeWorldName = keyof typeof all

export const madeWorlds: Readonly<Record<MadeWorldName, MadeWorld>> = all
