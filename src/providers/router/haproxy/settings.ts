import { existsSync, readFileSync } from "node:fs"

/** Certificate and key of users' addresses, as paths. */
export type TlsPair = { readonly cert: string; readonly key: string }

/** How much HAProxy takes at once; the numbers are those of the router of our own. */
export type Limits = {
  /** Connections of all clients together. */
  readonly connections: number
  /** Connections of one client address. */
  readonly connectionsPerAddress: number
  /** Requests under way on one instance. */
  readonly inFlight: number
}

export const defaultLimits: Limits = { connections: 10_000, connectionsPerAddress: 10_000, inFlight: 1_024 }

export type Settings = { readonly tls: TlsPair | undefined; readonly limits: Limits }

const numbers: Readonly<Record<string, keyof Limits>> = {
  "max-connections": "connections",
  "max-connections-per-address": "connectionsPerAddress",
  "max-in-flight": "inFlight",
}

/** What `settings.json` of the router's folder says. Throws on what cannot be read or followed, naming it. */
export function readSettings(file: string): Settings {
  if (!existsSync(file)) return { tls: undefined, limits: defaultLimits }
  let found: unknown
  try {
    found = JSON.parse(readFileSync(file, "utf8"))
  } catch (error) {
    throw new Error(`${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  const { cert, key, ...rest } = (found ?? {}) as Readonly<Record<string, unknown>>
  const known = ["cert", "key", ...Object.keys(numbers)]
  const limits: { -readonly [K in keyof Limits]: number } = { ...defaultLimits }
  for (const [name, value] of Object.entries(rest)) {
    const limit = numbers[name]
    if (limit === undefined)
      throw new Error(`${file}: HAProxy has no setting ${name} here; there are ${known.join(", ")}`)
    if (!Number.isSafeInteger(value) || Number(value) < 1)
      throw new Error(`${file}: ${name} must be a whole number of at least 1, such as 100`)
    limits[limit] = Number(value)
  }
  return { tls: tlsOf(file, cert, key), limits }
}

function tlsOf(file: string, cert: unknown, key: unknown): TlsPair | undefined {
  if (cert === undefined && key === undefined) return undefined
  if (typeof cert !== "string" || typeof key !== "string")
    throw new Error(`${file} must name both files, such as {"cert": "/etc/papi.crt", "key": "/etc/papi.key"}`)
  return { cert, key }
}
