import type { Limits } from "./limits.ts"
import { parseAddress } from "./read-table.ts"
import type { TlsFiles } from "./secure-server.ts"
import type { PoolTable, RouteTable, Sticky } from "./table.ts"

/** What the command line says, as it says it. Times in seconds. */
export type RouterOptions = {
  readonly dir?: string
  readonly listen?: string
  readonly to?: readonly string[]
  readonly sticky?: string
  readonly salt?: string
  readonly mirror?: string
  readonly mirrorTimeout?: string
  readonly workers?: string
  readonly cert?: string
  readonly key?: string
  readonly metrics?: string
  readonly expose?: boolean
  readonly healthPath?: string
  readonly healthInterval?: string
  readonly healthTimeout?: string
  readonly healthRise?: string
  readonly healthFall?: string
  readonly deadMan?: string
  readonly [flag: string]: unknown
}

const inSeconds: Readonly<Record<string, keyof Limits>> = {
  headerTimeout: "head",
  responseTimeout: "answer",
  idleTimeout: "idle",
  connectTimeout: "connect",
  betweenTimeout: "between",
  tunnelTimeout: "tunnel",
  upstreamIdleTimeout: "upstreamIdle",
  ejectionTime: "ejection",
  drainTimeout: "drain",
  retireTimeout: "retire",
  drainTunnels: "drainTunnel",
  drainStreams: "drainStream",
  drainRequests: "drainRequest",
}

const inNumbers: Readonly<Record<string, keyof Limits>> = {
  maxHeaderBytes: "mostHead",
  maxHeaders: "mostFields",
  maxConnections: "mostClients",
  maxConnectionsPerAddress: "mostClientsPerAddress",
  maxInFlight: "mostInFlight",
  ejectAfter: "ejectAfter",
  ejectAfter5xx: "ejectAfter5xx",
}

/** Whether a router that others tell what to do takes this flag, in camel case; routes come over its socket. */
export const isFlag = (name: string): boolean =>
  name in inSeconds || name in inNumbers || ["workers", "cert", "key", "metrics", "deadMan"].includes(name)

/** What a router is started with. */
export type ReadOptions = {
  /** Undefined: it keeps nothing beyond its own life. */
  readonly dir: string | undefined
  /** Undefined: it is told its routes over its control socket. */
  readonly routes: readonly RouteTable[] | undefined
  readonly limits: Partial<Limits>
  readonly workers: number
  readonly tls: TlsFiles | undefined
  /** Milliseconds. */
  readonly deadMan: number | undefined
  /** Where `GET /metrics` is answered. */
  readonly metrics: string | undefined
}

/** Throws on a flag that cannot be read, naming it and what it could be. */
export function readOptions(options: RouterOptions): ReadOptions {
  const { dir, listen, cert, key, deadMan, workers, metrics } = options
  if (dir === undefined && listen === undefined)
    throw new Error(
      "a router needs --dir FOLDER, to be told over its control socket, or --listen ADDRESS --to ADDRESS",
    )
  if (listen === undefined && options.to !== undefined)
    throw new Error("--to needs --listen ADDRESS, where the users of it come in")
  if ((cert === undefined) !== (key === undefined))
    throw new Error("TLS needs both --cert FILE and --key FILE")
  if (listen !== undefined && deadMan !== undefined)
    throw new Error("--dead-man is for a router that is told by others; with --listen nobody gives orders")
  const routes = listen === undefined ? undefined : routesOf(options, listen)
  return {
    dir,
    routes,
    limits: limitsOf(options, routes !== undefined),
    workers: workers === undefined ? 0 : count("--workers", workers),
    tls: cert !== undefined && key !== undefined ? { cert, key } : undefined,
    deadMan: deadMan === undefined ? undefined : milliseconds("--dead-man", deadMan),
    metrics: metrics === undefined ? undefined : addressOf("--metrics", metrics),
  }
}

function limitsOf(options: RouterOptions, isAlone: boolean): Partial<Limits> {
  // Alone there is no judge whom an ejected instance could mislead.
  const limits: { -readonly [K in keyof Limits]?: number } = isAlone ? { ejectAfter5xx: 5 } : {}
  for (const [flag, limit] of Object.entries(inSeconds))
    if (options[flag] !== undefined) limits[limit] = milliseconds(named(flag), options[flag])
  for (const [flag, limit] of Object.entries(inNumbers))
    if (options[flag] !== undefined) limits[limit] = count(named(flag), options[flag])
  const shortest = Math.min(
    ...Object.values(inSeconds).map((limit) => limits[limit] ?? Number.POSITIVE_INFINITY),
  )
  if (shortest < 2_000) limits.tick = Math.max(20, Math.min(250, shortest / 8))
  return limits
}

function routesOf(options: RouterOptions, listen: string): readonly RouteTable[] {
  const to = (options.to ?? []).map(readTarget)
  if (to.length === 0) throw new Error("a router needs somebody to send to: give it --to ADDRESS[=WEIGHT]")
  const pools = poolsOf(to)
  const heaviest = pools.reduce((most, pool) => (pool.weight > most.weight ? pool : most))
  const mirror = options.mirror === undefined ? undefined : readTarget(options.mirror)
  const users: RouteTable = {
    route: "router/users",
    listen: addressOf("--listen", listen),
    salt: options.salt ?? "router",
    sticky: stickyOf(options.sticky),
    pools,
    stable: heaviest.pool,
    ...(options.expose ? { expose: true } : {}),
    ...(options.healthPath === undefined
      ? {}
      : {
          health: {
            path: options.healthPath,
            intervalMs: milliseconds("--health-interval", options.healthInterval ?? "2"),
            timeoutMs: milliseconds("--health-timeout", options.healthTimeout ?? "1"),
            rise: count("--health-rise", options.healthRise ?? "2"),
            fall: count("--health-fall", options.healthFall ?? "3"),
          },
        }),
    ...(mirror
      ? {
          mirror: {
            to: "router/mirror",
            sample: mirror.weight ?? 1,
            timeoutMs: milliseconds("--mirror-timeout", options.mirrorTimeout ?? "1"),
          },
        }
      : {}),
  }
  if (!mirror) return [users]
  const copies: RouteTable = {
    route: "router/mirror",
    listen: "127.0.0.1:0",
    salt: "",
    sticky: { by: "none" },
    pools: [{ pool: "mirror", weight: 100, instances: [{ id: "mirror", address: mirror.address }] }],
    stable: null,
  }
  return [users, copies]
}

type Target = { readonly address: string; readonly weight: number | undefined }

/** Without weights all are one pool; with a weight each is a pool of its own, in proportion. */
function poolsOf(to: readonly Target[]): readonly PoolTable[] {
  const instances = to.map(({ address }, at) => ({ id: `to-${at}`, address }))
  if (to.every(({ weight }) => weight === undefined)) return [{ pool: "to", weight: 100, instances }]
  const sum = to.reduce((total, { weight }) => total + (weight ?? 1), 0)
  if (sum <= 0) throw new Error("the weights of --to are all zero: nobody would be sent anything")
  return instances.map((instance, at) => ({
    pool: instance.id,
    weight: (100 * (to[at]?.weight ?? 1)) / sum,
    instances: [instance],
  }))
}

function readTarget(text: string): Target {
  const [address = "", weight] = text.split("=")
  return {
    address: addressOf("--to", address),
    weight: weight === undefined ? undefined : positive("--to", weight),
  }
}

function stickyOf(text: string | undefined): Sticky {
  if (text === undefined || text === "none") return { by: "none" }
  if (text === "address") return { by: "address" }
  const match = /^(cookie|header)=([!#$%&'*+\-.^_`|~0-9A-Za-z]+)$/.exec(text)
  const [, by, name] = match ?? []
  if (name === undefined || (by !== "cookie" && by !== "header"))
    throw new Error(`--sticky ${text}: give it none, address, cookie=NAME or header=NAME`)
  return { by, name }
}

/** `:8080` and `8080` are short for all addresses and for this machine. */
function addressOf(flag: string, text: string): string {
  const short = /^:?\d{1,5}$/.test(text)
  const full = short
    ? `127.0.0.1:${text.replace(":", "")}`
    : text.replace(/^https?:\/\//, "").replace(/\/$/, "")
  if (!parseAddress(full)) throw new Error(`${flag} ${text} is not an address such as 127.0.0.1:8080`)
  return full
}

const named = (flag: string): string =>
  `--${flag.replace(/([A-Z]|5xx)/g, (part) => `-${part.toLowerCase()}`)}`

function positive(flag: string, value: unknown): number {
  const number = Number(value)
  if (value === "" || !Number.isFinite(number) || number < 0)
    throw new Error(`${flag} ${String(value)} is not a number from 0 on`)
  return number
}

/** Seconds, or `250ms`, `5s`, `2m`; in milliseconds. */
function milliseconds(flag: string, value: unknown): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(String(value))
  if (!match) throw new Error(`${flag} ${String(value)} is not a time such as 5, 250ms or 2m`)
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
  return Number(match[1]) * (units[match[2] ?? "s"] ?? 1_000)
}

function count(flag: string, value: unknown): number {
  const number = positive(flag, value)
  if (!Number.isSafeInteger(number)) throw new Error(`${flag} ${String(value)} is not a whole number`)
  return number
}
