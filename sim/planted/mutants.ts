import { inTheCore } from "./in-the-core.ts"
import { inTheEngine } from "./in-the-engine.ts"
import { inTheParts } from "./in-the-parts.ts"
import type { Mutant } from "./mutant.ts"

/** Bugs of all kinds, in the engine, in the core, and in the promises of store, agent and router that they rest on. */
export const mutants: readonly Mutant[] = [...inTheEngine, ...inTheCore, ...inTheParts]
