import fc from "fast-check"
import type { VerdictKind } from "../core/model/verdict.ts"
import { CoreWorld, papiPolicy, verdict } from "./core-world.ts"

type Act = (world: CoreWorld, n: number) => void

const kinds: readonly VerdictKind[] = ["ok", "worse", "unsure", "nodata"]
const some = (world: CoreWorld, n: number): number => {
  const numbers = Object.keys(world.state.rollouts).map(Number)
  return numbers[n % Math.max(1, numbers.length)] ?? 1
}
const instance = (world: CoreWorld, n: number): string => {
  const all = world.state.regions.flatMap((region) => Object.keys(region.instances))
  return all[n % Math.max(1, all.length)] ?? "none"
}

/** Ends instances on purpose, rebuilds regions, and holds contract steps for a while. */
const rehearsing = papiPolicy({
  failures: { every: 120_000, maxAge: 900_000 },
  drill: { every: 600_000 },
  migrations: { paths: ["sql/**"], contract: ["sql/contract/*"], window: 300_000, shared: [] },
})

/** Anything that people, repositories, judges and the world may do, in any order. */
const acts: Readonly<Record<string, Act>> = {
  turn: (world) => world.turn(),
  turns: (world) => world.turns(4),
  later: (world, n) => world.turn(1_000 * (n % 1_000)),
  push: (world, n) =>
    void world.push(
      (100 + (n % 60)).toString(16),
      n % 3 === 0 ? rehearsing : papiPolicy(),
      n % 7 === 0 ? ["db/migrate/1"] : n % 5 === 0 ? ["sql/contract/1"] : ["a.js"],
    ),
  drill: (world, n) =>
    void world.give({ type: "drill", region: n % 2 ? "prod4" : undefined, reason: "the audit" }),
  releasePools: (world, n) =>
    void world.give({ type: "release-pools", region: n % 2 ? "prod3" : "sandbox1", reason: "done with it" }),
  good: (world) => void world.look([verdict("ok", true)]),
  look: (world, n) =>
    void world.look(
      [verdict(kinds[n % 4] ?? "ok", true), verdict(kinds[(n >> 2) % 4] ?? "ok", false)],
      (n % 10) * 100_000,
      n % 11 === 0,
    ),
  approve: (world) => world.approveAll(),
  approveHeld: (world, n) =>
    void world.give({ type: "approve", rollout: some(world, n), reason: "fine", bound: {} }),
  halt: (world, n) => void world.give({ type: "halt", rollout: some(world, n), reason: "stop" }),
  rollback: (world, n) => void world.give({ type: "rollback", rollout: some(world, n), reason: "back" }),
  resume: (world, n) => void world.give({ type: "resume", rollout: some(world, n), reason: "go on" }),
  retry: (world, n) => void world.give({ type: "retry", rollout: some(world, n), reason: "again" }),
  lock: (world) => void world.give({ type: "lock", region: undefined, reason: "wait" }),
  unlock: (world) =>
    void world.give({
      type: "unlock",
      lock: world.state.locks[0]?.id ?? 0,
      reason: "found it",
      preventive: undefined,
    }),
  pause: (world) => void world.give({ type: "pause", reason: "lunch" }),
  unpause: (world) => void world.give({ type: "resume", rollout: undefined, reason: "back" }),
  remove: (world, n) => {
    if (n % 3 === 0) world.give({ type: "remove-app", reason: "nobody uses it" })
  },
  add: (world) => void world.give({ type: "add-app", source: { url: "/srv/git/papi.git", branch: "main" } }),
  crash: (world, n) => world.crash(instance(world, n)),
  fail: (world, n) => world.fail(instance(world, n)),
  recover: (world, n) => world.recover(instance(world, n)),
  modify: (world, n) => world.modify(instance(world, n)),
}

/** Acts in any order, each with a number that it makes of what it likes. */
export const story = fc.array(fc.tuple(fc.constantFrom(...Object.keys(acts)), fc.nat(10_000)), {
  minLength: 10,
  maxLength: 80,
})

/** Tells a story after a first release serves everywhere. */
export function play(
  acted: readonly (readonly [string, number])[],
  each: (world: CoreWorld) => void = () => {},
): CoreWorld {
  const world = new CoreWorld()
  world.push("a1", papiPolicy())
  world.allTheWay()
  for (const [name, n] of acted) {
    acts[name]?.(world, n)
    each(world)
  }
  return world
}
