import type { Flavour, Plan } from "./kinds.ts"
import type { Nature, Path } from "./nature.ts"

/** What both sides live through: load, shared shocks, and what each side has of its own. */
export type World = {
  readonly interval: number
  readonly ticks: number
  readonly duration: number
  readonly weight: number
  readonly instances: { readonly canary: number; readonly control: number }
  readonly load: Path
  /** Requests that fail for both, as a share. */
  readonly outage: Path
  /** Both are so many times as slow. */
  readonly slowness: Path
  /** The errors of both come and go by this factor. */
  readonly errors: Path
  /** How much of a cold start is left, 1 to 0. */
  readonly cold: Path
  /** How far the bad instance of the control is, 0 or 1, as a share of the control. */
  readonly noisy: Path
  readonly clusters: number
  /** How much the sides wander apart for themselves: errors and latency, standard deviations of logarithms. */
  readonly apart: { readonly errors: number; readonly latency: number }
  readonly pauses: number
}

export const warmUp = 120

const moods = {
  calm: { clusters: 1, errors: 0.1, latency: 0.02, apart: { errors: 0, latency: 0.003 }, pauses: 0 },
  usual: { clusters: 1.5, errors: 0.3, latency: 0.06, apart: { errors: 0.03, latency: 0.008 }, pauses: 0.01 },
  rough: { clusters: 2.5, errors: 0.6, latency: 0.12, apart: { errors: 0.08, latency: 0.015 }, pauses: 0.04 },
} as const

export function worldFor(nature: Nature, plan: Plan): World {
  const has = (flavour: Flavour) => plan.flavours.has(flavour)
  const interval = nature.pick([10, 10, 10, 15, 30])
  const duration = nature.pick(plan.lengths)
  const ticks = duration / interval
  const at = (i: number) => (i + 1) * interval
  const weight = nature.pick([0.01, 0.05, 0.05, 0.1, 0.1, 0.2, 0.25, 0.5])
  const canary = nature.whole(1, 3)
  const control = Math.min(12, Math.max(canary, Math.round((canary * (1 - weight)) / weight)))
  const mood = moods[has("rough") ? "rough" : nature.pick(["calm", "usual", "usual", "rough"] as const)]

  const period = nature.uniform(4_000, 40_000)
  const phase = nature.uniform(0, 2 * Math.PI)
  const swing = nature.uniform(0.05, 0.4)
  const wobble = nature.remembering(ticks, nature.uniform(0.02, 0.15), 0.8)
  const drift = has("drift") ? nature.pick([-0.6, 0.6]) : 0
  const spike = has("spike") ? span(nature, duration, 180, 480) : undefined
  const height = nature.uniform(1.5, 4)
  const outages = has("outage")
    ? Array.from({ length: nature.whole(1, 2) }, () => ({
        ...span(nature, duration, 90, 420),
        share: nature.logUniform(0.02, 0.4),
        slow: nature.uniform(1.2, 4),
      }))
    : []
  const spiking = (t: number) =>
    spike ? Math.max(0, Math.min(1, (t - spike.from) / 40, (spike.to - t) / 60)) : 0
  const path = (of: (t: number, i: number) => number): Path =>
    Array.from({ length: ticks }, (_, i) => of(at(i), i))
  const rising = path(
    (t, i) =>
      Math.exp(
        swing * Math.sin((2 * Math.PI * t) / period + phase) +
          (wobble[i] ?? 0) +
          drift * ((2 * t) / duration - 1),
      ) *
      (1 + (height - 1) * spiking(t)),
  )
  const mean = rising.reduce((a, b) => a + b, 0) / ticks
  const load = rising.map((each) => each / mean)
  const common = nature.remembering(ticks, mood.latency, 0.93)
  const errors = nature.remembering(ticks, mood.errors, 0.9).map((x) => Math.exp(x - mood.errors ** 2 / 2))
  const strain = nature.uniform(0, 0.15)
  const noise = has("noisy-control")
    ? { ...span(nature, duration, 300, duration), full: 1 / control }
    : undefined
  return {
    interval,
    ticks,
    duration,
    weight,
    instances: { canary, control },
    load,
    outage: path((t) =>
      Math.min(
        0.9,
        spiking(t) * 0.01 + Math.max(0, ...outages.filter((o) => within(t, o)).map((o) => o.share)),
      ),
    ),
    slowness: path(
      (t, i) =>
        Math.exp(common[i] ?? 0) *
        (load[i] ?? 1) ** strain *
        Math.max(1, ...outages.filter((o) => within(t, o)).map((o) => o.slow)) *
        (1 + (height - 1) * spiking(t)) ** 0.3,
    ),
    errors,
    cold: path((t) => (has("warm-up") && t <= warmUp ? Math.exp((-2 * t) / warmUp) : 0)),
    noisy: path((t) => (noise && within(t, noise) ? noise.full : 0)),
    clusters: mood.clusters,
    apart: mood.apart,
    pauses: mood.pauses,
  }
}

type Span = { readonly from: number; readonly to: number }

function span(nature: Nature, duration: number, least: number, most: number): Span {
  const from = nature.uniform(0.05, 0.7) * duration
  return { from, to: from + nature.uniform(least, most) }
}

const within = (t: number, { from, to }: Span): boolean => t > from && t <= to
