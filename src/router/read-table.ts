import { Refusal } from "./refusal.ts"
import { isSelection, type SelectionName, selections } from "./selections.ts"
import type {
  Always,
  Fence,
  HealthTable,
  InstanceTable,
  MirrorTable,
  PoolTable,
  RouteTable,
  Sticky,
  TableOrder,
} from "./table.ts"

/** An address in its parts. */
export type Address = { readonly host: string; readonly port: number }

/** Reads an order from the control socket. Throws a 422 that names the place. */
export function readTableOrder(body: unknown): TableOrder {
  const order = record(body, "the order")
  const routes = list(order.routes, "routes").map((route, at) => readRoute(route, `routes[${at}]`))
  const seen = new Set<string>()
  for (const { route } of routes) {
    if (seen.has(route)) throw invalid(`route ${route} is named twice; give every route one entry`)
    seen.add(route)
  }
  oneAddressPerInstance(routes)
  return {
    ...readFence(order),
    routes,
    ...(order.pauseMs === undefined ? {} : { pauseMs: number(order.pauseMs, "pauseMs", 0, 60_000) }),
  }
}

/** Reads who orders, and which order of theirs it is. */
export function readFence(body: unknown): Fence {
  const order = record(body, "the order")
  return {
    app: text(order.app, "app"),
    epoch: whole(order.epoch, "epoch"),
    generation: whole(order.generation, "generation"),
  }
}

export const readApp = (body: unknown): string => text(record(body, "the order").app, "app")
export const readEpoch = (body: unknown): number => whole(record(body, "the order").epoch, "epoch")
export const readInstanceId = (body: unknown): string => text(record(body, "the order").instance, "instance")

/** Milliseconds, or undefined where the order does not say. */
export function readDeadline(body: unknown): number | undefined {
  const { deadlineMs } = record(body, "the order")
  return deadlineMs === undefined ? undefined : number(deadlineMs, "deadlineMs", 0, Number.MAX_SAFE_INTEGER)
}

/** `127.0.0.1:8103` or `[::1]:8103` in its parts; undefined when it is neither. */
export function parseAddress(address: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(address)
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  return host === undefined || port > 65_535 ? undefined : { host, port }
}

/** The inverse of `parseAddress`. */
export const formatAddress = ({ host, port }: Address): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

/** Reads one route; also what the state file holds is read by it. */
export function readRoute(value: unknown, where: string): RouteTable {
  const route = record(value, where)
  const pools = list(route.pools, `${where}.pools`).map((pool, at) => readPool(pool, `${where}.pools[${at}]`))
  const sum = pools.reduce((total, pool) => total + pool.weight, 0)
  if (pools.length > 0 && Math.abs(sum - 100) > 0.001)
    throw invalid(`the weights of ${where} sum to ${sum}, not to 100; send all pools with their percent`)
  distinct(
    pools.map((pool) => pool.pool),
    `${where}: pool`,
  )
  distinct(
    pools.flatMap((pool) => pool.instances.map((one) => one.id)),
    `${where}: instance`,
  )
  const stable =
    route.stable === null || route.stable === undefined ? null : text(route.stable, `${where}.stable`)
  return {
    route: text(route.route, `${where}.route`),
    listen: address(route.listen, `${where}.listen`, 0),
    ...(route.plain === true ? { plain: true } : {}),
    salt: typeof route.salt === "string" ? route.salt : fail(`${where}.salt`, "a text", route.salt),
    sticky: readSticky(route.sticky, `${where}.sticky`),
    ...(route.selection === undefined
      ? {}
      : { selection: readSelection(route.selection, `${where}.selection`) }),
    pools,
    stable,
    ...(route.mirror === undefined || route.mirror === null
      ? {}
      : { mirror: readMirror(route.mirror, `${where}.mirror`) }),
    ...(route.health === undefined || route.health === null
      ? {}
      : { health: readHealth(route.health, `${where}.health`) }),
    ...(route.always === undefined || route.always === null
      ? {}
      : { always: readAlways(route.always, `${where}.always`) }),
    ...(route.pauseMs === undefined ? {} : { pauseMs: number(route.pauseMs, `${where}.pauseMs`, 0, 60_000) }),
    ...(route.expose === true ? { expose: true } : {}),
  }
}

function readPool(value: unknown, where: string): PoolTable {
  const pool = record(value, where)
  return {
    pool: text(pool.pool, `${where}.pool`),
    weight: number(pool.weight, `${where}.weight`, 0, 100),
    instances: list(pool.instances, `${where}.instances`).map((one, at): InstanceTable => {
      const here = `${where}.instances[${at}]`
      const { id, address: at2 } = record(one, here)
      return { id: text(id, `${here}.id`), address: address(at2, `${here}.address`, 1) }
    }),
  }
}

function readSticky(value: unknown, where: string): Sticky {
  const sticky = record(value, where)
  switch (sticky.by) {
    case "none":
    case "address":
      return { by: sticky.by }
    case "cookie":
    case "header": {
      const name = text(sticky.name, `${where}.name`)
      if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) fail(`${where}.name`, "a token", name)
      return { by: sticky.by, name }
    }
    default:
      return fail(`${where}.by`, "none, cookie, header or address", sticky.by)
  }
}

const readSelection = (value: unknown, where: string): SelectionName =>
  isSelection(value) ? value : fail(where, `one of ${Object.keys(selections).join(", ")}`, value)

function readMirror(value: unknown, where: string): MirrorTable {
  const mirror = record(value, where)
  return {
    to: text(mirror.to, `${where}.to`),
    sample: number(mirror.sample, `${where}.sample`, 0, 1),
    timeoutMs: number(mirror.timeoutMs, `${where}.timeoutMs`, 1, 3_600_000),
    ...(mirror.deny === undefined ? {} : { deny: texts(mirror.deny, `${where}.deny`) }),
    ...(mirror.headers === undefined ? {} : { headers: texts(mirror.headers, `${where}.headers`) }),
    ...(mirror.tell === true ? { tell: true } : {}),
  }
}

function readHealth(value: unknown, where: string): HealthTable {
  const health = record(value, where)
  const path = text(health.path, `${where}.path`)
  return {
    path: path.startsWith("/") ? path : fail(`${where}.path`, "a path that begins with /", path),
    intervalMs: number(health.intervalMs, `${where}.intervalMs`, 50, 3_600_000),
    timeoutMs: number(health.timeoutMs, `${where}.timeoutMs`, 1, 3_600_000),
    rise: number(health.rise, `${where}.rise`, 1, 100),
    fall: number(health.fall, `${where}.fall`, 1, 100),
  }
}

const texts = (value: unknown, where: string): readonly string[] =>
  list(value, where).map((one, at) => text(one, `${where}[${at}]`))

const readAlways = (value: unknown, where: string): readonly Always[] =>
  list(value, where).map((one, at) => {
    const { pool, keys } = record(one, `${where}[${at}]`)
    return {
      pool: text(pool, `${where}[${at}].pool`),
      keys: list(keys, `${where}[${at}].keys`).map((key, n) => text(key, `${where}[${at}].keys[${n}]`)),
    }
  })

function oneAddressPerInstance(routes: readonly RouteTable[]): void {
  const addresses = new Map<string, string>()
  for (const route of routes)
    for (const pool of route.pools)
      for (const { id, address: at } of pool.instances) {
        const before = addresses.get(id) ?? at
        if (before !== at)
          throw invalid(`instance ${id} has two addresses, ${before} and ${at}; an id is one copy`)
        addresses.set(id, at)
      }
}

function distinct(names: readonly string[], what: string): void {
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw invalid(`${what} ${twice} is there twice`)
}

const invalid = (message: string): Refusal => new Refusal(422, "invalid", message)

function fail(where: string, wanted: string, found: unknown): never {
  throw invalid(`${where} must be ${wanted}, found ${JSON.stringify(found) ?? "nothing"}`)
}

function record(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return fail(where, "an object", value)
  return value as Readonly<Record<string, unknown>>
}

const list = (value: unknown, where: string): readonly unknown[] =>
  Array.isArray(value) ? value : fail(where, "a list", value)

const text = (value: unknown, where: string): string =>
  typeof value === "string" && /^[\x21-\x7e]{1,300}$/.test(value)
    ? value
    : fail(where, "1 to 300 printable characters without spaces", value)

const number = (value: unknown, where: string, least: number, most: number): number =>
  typeof value === "number" && Number.isFinite(value) && value >= least && value <= most
    ? value
    : fail(where, `a number from ${least} to ${most}`, value)

const whole = (value: unknown, where: string): number =>
  Number.isSafeInteger(value)
    ? number(value, where, 0, Number.MAX_SAFE_INTEGER)
    : fail(where, "a whole number", value)

function address(value: unknown, where: string, leastPort: number): string {
  const parsed = typeof value === "string" ? parseAddress(value) : undefined
  if (!parsed || parsed.port < leastPort) return fail(where, "an address such as 127.0.0.1:8103", value)
  return formatAddress(parsed)
}
