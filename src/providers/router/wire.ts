import type { CopiedRequest } from "../../core/answers/copied.ts"
import type { Histogram } from "../../core/model/measurement.ts"
import type { StickyPolicy } from "../../core/model/policy.ts"
import type { MirrorSpec, PoolSpec } from "../../core/pipeline/effects.ts"

/** What the router's sockets speak: the router stands alone, so its words are said here once more. */
export type RouteWire = {
  readonly route: string
  readonly listen: string
  readonly plain?: boolean
  readonly salt: string
  readonly sticky: StickyPolicy
  readonly selection?: "hash" | "sha256"
  readonly always?: readonly { readonly pool: string; readonly keys: readonly string[] }[]
  readonly pauseMs?: number
  readonly pools: readonly PoolSpec[]
  readonly health?: {
    readonly path: string
    readonly intervalMs: number
    readonly timeoutMs: number
    readonly rise: number
    readonly fall: number
  }
  readonly stable: string | null
  readonly mirror?: Omit<MirrorSpec, "timeout"> & { readonly timeoutMs: number }
}

export type StateWire = {
  readonly pid: number
  readonly apps: Readonly<
    Record<
      string,
      { readonly epoch: number; readonly generation: number; readonly routes: readonly RouteWire[] }
    >
  >
  readonly listeners: Readonly<Record<string, string>>
  readonly instances: Readonly<
    Record<string, { readonly inFlight: number; readonly ejected?: boolean; readonly failing?: boolean }>
  >
  readonly tombstones: readonly string[]
  readonly degraded: string | undefined
}

export type CountersWire = {
  readonly requests: number
  /** Each request at most once. */
  readonly errors: {
    readonly connect: number
    readonly timeout: number
    readonly reset: number
    readonly "5xx": number
  }
  readonly histogram: Histogram
}

export type SideWire = { readonly requests: number; readonly bad: number; readonly histogram: Histogram }

export type StatsWire = {
  readonly boot: string
  readonly at: number
  readonly routes: Readonly<
    Record<
      string,
      {
        readonly pools: Readonly<Record<string, Readonly<Record<string, CountersWire>>>>
        readonly mirror:
          | {
              readonly to: string
              readonly sent: number
              readonly dropped: number
              readonly recent?: readonly CopiedRequest[]
              readonly primary: SideWire
              readonly candidate: SideWire
            }
          | undefined
      }
    >
  >
}
