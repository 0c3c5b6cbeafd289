import type { RoomSeen } from "../model/capacity.ts"
import type { ServerName } from "../model/ids.ts"
import { type Hold, type Rollout, regionPolicy } from "../rollout/rollout.ts"
import type { Application, Region } from "./application.ts"
import type { Draft } from "./draft.ts"
import { giveWay } from "./give-way.ts"
import { isLeft, placeFor, waitsForItsServer } from "./servers.ts"

/** Too little of one thing, in words. */
export type Lack = { readonly of: "instances" | "memory" | "cpus"; readonly because: string }

/** What one fresh instance takes: as much as what serves takes now, or else what the policy allows it. */
function sizeOfOne(
  { memoryOf }: RoomSeen,
  region: Region,
  { policy }: Rollout,
): { readonly memory: number | undefined; readonly cpus: number | undefined; readonly measured: boolean } {
  const serving = Object.values(region.instances).filter(({ pool }) => pool === region.stable)
  const used = Math.max(0, ...serving.map(({ id }) => memoryOf[id] ?? 0))
  return {
    memory: used > 0 ? used : policy.run.memory,
    cpus: policy.run.cpus,
    measured: used > 0,
  }
}

/**
 * Why the whole new pool does not fit beside what runs; undefined when it does, or when nobody knows. Asked before
 * the first of its instances is started: one that stands half way up helps nobody.
 */
function lackFor(app: Application, seen: RoomSeen, region: Region, rollout: Rollout): Lack | undefined {
  const { size, servers } = regionPolicy(rollout)
  const one = sizeOfOne(seen, region, rollout)
  for (const [server, count] of sharesOf(app, region, rollout, size)) {
    const room = seen.servers[server]
    if (!room) continue
    const where = servers.length > 1 ? `${server} has` : "there is"
    const these = count === 1 ? "one fresh instance" : `${count} fresh instances`
    if (room.instances && room.instances.free < count)
      return {
        of: "instances",
        because: `${where} room for ${Math.max(0, room.instances.free)} more of at most ${room.instances.total} instances, and ${these} must stand beside the old ones`,
      }
    if (room.memory && one.memory !== undefined && room.memory.free < count * one.memory)
      return {
        of: "memory",
        because: `${where} ${mb(room.memory.free)} of memory free, and ${these} of ${mb(one.memory)}, ${one.measured ? "as what serves uses now" : "their limit"}, must stand beside the old ones`,
      }
    if (room.cpus && one.cpus !== undefined && room.cpus.free < count * one.cpus)
      return {
        of: "cpus",
        because: `${where} ${Math.round(room.cpus.free * 10) / 10} processors free, and ${these} of ${one.cpus} must stand beside the old ones`,
      }
  }
  return undefined
}

/** How many of the missing instances each server would get, placed as they will be. */
function sharesOf(
  app: Application,
  region: Region,
  rollout: Rollout,
  size: number,
): ReadonlyMap<ServerName, number> {
  const servers = regionPolicy(rollout).servers.filter((server) => !isLeft(app, server))
  const here = Object.values(region.instances).filter(
    ({ pool, retired }) => pool === rollout.number && !retired,
  ).length
  const shares = new Map<ServerName, number>()
  let placed = region
  for (let missing = size - here; missing > 0; missing--) {
    const server = placeFor(app, placed, rollout.number, servers)
    if (server === undefined) return shares
    shares.set(server, (shares.get(server) ?? 0) + 1)
    placed = withOneMore(placed, rollout, server, missing)
  }
  return shares
}

function withOneMore(region: Region, rollout: Rollout, server: ServerName, number: number): Region {
  const id = `to come ${number}`
  const instance = {
    id,
    pool: rollout.number,
    release: rollout.release,
    server,
    step: 0,
    requestedAt: 0,
    state: "starting" as const,
    address: undefined,
    condemned: undefined,
    retired: undefined,
    released: false,
  }
  return { ...region, instances: { ...region.instances, [id]: instance } }
}

const mb = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MB`

/**
 * Whether it may begin. What is kept for a swap back makes room first: there is a way back without it, to what serves.
 * After that it waits, and says so once for each reason.
 */
export function hasRoom(draft: Draft, rollout: Rollout, region: Region): boolean {
  const { room } = draft.limits
  const lack = room && lackFor(draft.state, room, region, rollout)
  if (!lack) return true
  if (drillHasRoom(draft)) return false
  if (region.kept.length > 0) {
    const because = `a new pool needs their room: ${lack.because}`
    draft.conclude({ type: "pools-released", region: region.name }, because)
    return false
  }
  if (rollout.phase.name === "queued" && rollout.phase.lacks?.of !== lack.of)
    draft.conclude(
      { type: "room-lacking", rollout: rollout.number, ...lack },
      `not enough capacity: ${lack.because}`,
    )
  return false
}

/** What a drill takes it gives back before anything else is given up for a rollout; whether some is still to come. */
function drillHasRoom(draft: Draft): boolean {
  giveWay(draft, "a rollout needs its room")
  const { drill } = draft.state
  const left = Object.values(drill?.place.instances ?? {})
  return left.some((instance) => !waitsForItsServer(draft.state, instance))
}

/** Nothing is known against a release whose instances nobody could start. */
export function holdForRoom(draft: Draft, region: Region, pool: number): Hold | undefined {
  const because = refusedIn(draft, region, pool)
  return because === undefined
    ? undefined
    : {
        why: "no-room",
        because: `not enough capacity: ${because}`,
        until: undefined,
        then: "it goes on by itself when there is room; nothing is blamed on the release",
        proposal: undefined,
        weight: "frozen",
      }
}

/** What was said when an instance of this pool was refused for lack of room; undefined when none is refused now. */
export function refusedIn(draft: Draft, region: Region, pool: number): string | undefined {
  const refused = draft.limits.room?.refused ?? {}
  return Object.values(region.instances)
    .filter((instance) => instance.pool === pool && !instance.retired)
    .map(({ id }) => refused[id])
    .find((because) => because !== undefined)
}
