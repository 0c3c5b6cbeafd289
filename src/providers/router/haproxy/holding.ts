import type { RouteSpec } from "../../../core/pipeline/effects.ts"
import { allRoutes, type Book, weightOf } from "./book.ts"

/** Requests of one route that wait for one swap; who comes then is told so at once. */
const mostHeld = 1_024
/** How much later than the swap's limit a request goes on by itself, in ms, should nobody end the wait. */
const grace = 1_000
/** No request waits longer, whatever a row says and whatever the clock does, in ms. */
const longest = 10_000
/** How often who waits looks whether it is over, in ms. */
const lookEvery = 10

/** A route whose new requests wait, and the instances that are about to lose all users. */
export type Hold = {
  /** As it was until now. */
  readonly route: RouteSpec
  readonly losing: readonly string[]
  /** How long they are waited for, in ms. */
  readonly patience: number
}

/** What must wait on the way from one table to the next. */
export function holdsBetween(before: Book, after: Book): readonly Hold[] {
  const old = allRoutes(before)
  return allRoutes(after).flatMap(({ route: name, holdRequests = 0 }) => {
    const route = old.find((one) => one.route === name)
    if (!route || holdRequests <= 0) return []
    const losing = route.pools
      .flatMap(({ instances }) => instances.map(({ id }) => id))
      .filter((id) => weightOf(before, id) > 0 && weightOf(after, id) === 0)
    return losing.length > 0 ? [{ route, losing, patience: holdRequests }] : []
  })
}

/** Until when, in ms since 1970, requests of a held route wait at most. */
export const heldUntil = ({ patience }: Hold, now: number): number => Math.round(now) + patience + grace

/** `field`: where in a row it stands until when its requests wait. The row must have been read. */
export const holdRules = (field: number, rowRule: string): readonly string[] => [
  `  http-request lua.hold if !{ var(txn.row),field(${field},|) 0 }`,
  "  http-request return status 503 content-type text/plain string paused hdr Retry-After 1 hdr X-Immunity-Router paused if { var(txn.crowded) -m found }",
  `${rowRule} if { var(txn.held) -m found }`,
]

/**
 * HAProxy has no word for waiting until something changes, but its Lua can sleep. It ends by itself: who gave the
 * order may be dead.
 */
export const holdProgram = (rows: string): string => `-- Written by Immunity; changes here are overwritten.
local rows = Map.new(${JSON.stringify(rows)}, Map._str)
local swap, count = {}, {}

local function now()
  local at = core.now()
  return at.sec * 1000 + at.usec // 1000
end

core.register_action("hold", { "http-req" }, function(txn)
  local door = txn.f:fe_name()
  local row = rows:lookup(door)
  local limit = tonumber(row and row:match("|(%d+)$")) or 0
  local left = math.min(limit - now(), ${longest})
  if left <= 0 then return end
  if swap[door] ~= limit then swap[door], count[door] = limit, 0 end
  count[door] = count[door] + 1
  if count[door] > ${mostHeld} then
    txn:set_var("txn.crowded", true)
    return
  end
  txn:set_var("txn.held", true)
  while left > 0 and rows:lookup(door) == row and tonumber(txn.f:stopping()) ~= 1 do
    core.msleep(${lookEvery})
    left = left - ${lookEvery}
  end
end, 0)
`
