import type { Instant } from "./time.ts"

/**
 * Latencies as a sparse exponential histogram: bucket `i` counts values in
 * (2^(i/32), 2^((i+1)/32)] milliseconds. The same as OpenTelemetry's exponential histogram at
 * scale 5 and Prometheus' native schema 5, so buckets merge and exchange without loss.
 */
export type Histogram = readonly (readonly [bucket: number, count: number])[]

/** Buckets per doubling of the value. */
export const bucketsPerOctave = 32

/** What one cohort showed in one interval, as sufficient statistics; never one bare number. */
export type Observation =
  /** Of `total` requests `bad` were bad. Whole numbers, 0 ≤ bad ≤ total. */
  | {
      readonly kind: "proportion"
      readonly total: number
      readonly bad: number
      readonly instances?: readonly InstanceShare[] | undefined
    }
  /**
   * The latencies of the answered requests. `edges`: the buckets at whose upper ends the source tells requests
   * apart, rising; absent when it does so at every one of ours.
   */
  | {
      readonly kind: "histogram"
      readonly buckets: Histogram
      readonly edges?: readonly number[] | undefined
      readonly instances?: readonly InstanceShare[] | undefined
    }
  /** `events` happened while the cohort was exposed for `exposure` instance-seconds. */
  | { readonly kind: "events"; readonly events: number; readonly exposure: number }
  /** Samples of a level, one a scrape and instance. Finite numbers. */
  | {
      readonly kind: "gauge"
      readonly values: readonly number[]
      readonly instances?: readonly InstanceShare[] | undefined
    }
  /** Answers to the same requests, compared: which paths differed on one side only. */
  | { readonly kind: "answers"; readonly compared: number; readonly paths: readonly PathCount[] }

/**
 * What one instance added to an observation, where the source tells instances apart. Of a proportion `n` requests,
 * `sum` of them bad; of latencies and levels `n` values, the sum of their natural logarithms, and of the squares of
 * these.
 */
export type InstanceShare = {
  readonly id: string
  readonly n: number
  readonly sum: number
  readonly squares: number
}

/** A path on which only the candidate, or only the second stable instance, differed from the first. */
export type PathCount = {
  /** `GET /items/:id`. */
  readonly endpoint: string
  /** `status`, `header content-type`, `body.items[].price`. */
  readonly path: string
  /** Another shape (status class, type, a field missing or new) or another content. */
  readonly structural: boolean
  /** Requests on which only the candidate differed. */
  readonly raw: number
  /** Of these: asked a second time it differed again. Only for structural ones. */
  readonly confirmed: number
  /** Requests on which only the second stable instance differed. */
  readonly noise: number
  /** The newest difference of the candidate, redacted. */
  readonly sample?: AnswerSample | undefined
}

/** Shapes, never contents. */
export type AnswerSample = {
  readonly kind: "value" | "type" | "missing" | "extra"
  readonly stable: string
  readonly candidate: string
}

/**
 * One metric in one closed interval, for canary and control at the same time. A cohort that could
 * not be seen is absent: absent is not zero.
 */
export type Measurement = {
  readonly metric: string
  readonly from: Instant
  readonly to: Instant
  readonly canary?: Observation | undefined
  readonly control?: Observation | undefined
  /** Why a cohort is absent, in plain words: `router: connect ENOENT`. */
  readonly blind?: string | undefined
  /** What the router was told of the two sides' traffic, where it was the same over the whole interval. */
  readonly told?: ToldShare | undefined
  /** Where copies are compared: how many of those that were due were made in the interval, and how many were not. */
  readonly copies?: Copies | undefined
}

/** `dropped`: due and not made, because too many were under way, or nobody could take one. */
export type Copies = { readonly made: number; readonly dropped: number }

export type ToldShare = {
  /** The canary's part of the requests that go to the two, 0 to 1. */
  readonly share: number
  /** Users are kept on their side: what is told is a share of users, who send as many requests as they like. */
  readonly sticky: boolean
}
