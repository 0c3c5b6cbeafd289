import type { Nature } from "./nature.ts"

/** What else happens, to both sides or as any canary may meet it; none of it is a reason to roll back. */
export type Flavour =
  | "warm-up"
  | "spike"
  | "outage"
  | "missing"
  | "reset"
  | "noisy-control"
  | "hiccup"
  | "harmless"
  | "better"
  | "drift"
  | "heavy-tail"
  | "quiet"
  | "rough"

/** What is truly wrong with the canary. */
export type Fault =
  | { readonly of: "errors"; readonly from: number; readonly to: number }
  | {
      readonly of: "latency"
      readonly shape: "shift" | "tail" | "bimodal"
      readonly factor: number
      readonly part: number
    }
  | { readonly of: "signups" | "jobs_done"; readonly left: number }
  | { readonly of: "cpu_percent"; readonly factor: number }
  | { readonly of: "memory_mb"; readonly perHour: number }
  | { readonly of: "crashes"; readonly every: number }

export type Plan = {
  readonly flavours: ReadonlySet<Flavour>
  readonly fault?: Fault
  /** Seconds until it sets in. */
  readonly onset: number
  /** Seconds of the rollout. */
  readonly lengths: readonly number[]
  /** The part of the time left in which the oracle is done. */
  readonly pace: readonly [number, number]
}

const usual = [1200, 1800, 1800, 2700, 3600]
const long = [2700, 3600]
const easy: Plan["pace"] = [0.003, 0.1]
const hard: Plan["pace"] = [0.003, 0.05]

const good =
  (flavours: (nature: Nature) => readonly Flavour[], lengths = usual) =>
  (nature: Nature): Plan => {
    const also: readonly Flavour[] = nature.happens(0.3) ? ["warm-up"] : []
    return { flavours: new Set([...flavours(nature), ...also]), onset: 0, lengths, pace: easy }
  }

const bad =
  (fault: (nature: Nature) => Fault, more: Partial<Plan> = {}) =>
  (nature: Nature): Plan => ({
    flavours: new Set(nature.happens(0.3) ? ["warm-up"] : []),
    onset: 0,
    lengths: usual,
    pace: easy,
    ...more,
    fault: fault(nature),
  })

const about = (nature: Nature, amount: number): number => amount * Math.exp(nature.uniform(-0.15, 0.15))

const errors =
  (from: number, to: number) =>
  (nature: Nature): Fault => {
    const scale = about(nature, 1)
    return { of: "errors", from: from * scale, to: to * scale }
  }

const plain = (nature: Nature): Fault => {
  const from = nature.logUniform(0.002, 0.008)
  return nature.happens(0.5)
    ? { of: "errors", from, to: from * nature.uniform(3, 6) }
    : { of: "latency", shape: "shift", factor: nature.uniform(1.2, 1.4), part: 1 }
}

const mixable: readonly Flavour[] = ["spike", "outage", "missing", "noisy-control", "hiccup", "harmless"]

export const goodKinds: Readonly<Record<string, (nature: Nature) => Plan>> = {
  "aa-steady": good(() => []),
  "aa-diurnal": good(() => ["drift"], long),
  "aa-bursty": good(() => ["rough", "hiccup"]),
  "aa-heavy-tail": good(() => ["heavy-tail", "rough"]),
  "aa-warmup": good(() => ["warm-up"]),
  "aa-low-traffic": good(() => ["quiet"]),
  "aa-traffic-spike": good(() => ["spike"]),
  "aa-common-outage": good(() => ["outage"]),
  "aa-missing": good(() => ["missing"]),
  "aa-counter-reset": good(() => ["reset"]),
  "aa-noisy-control": good(() => ["noisy-control"]),
  "aa-harmless": good(() => ["harmless"]),
  "aa-improvement": good(() => ["better"]),
  "aa-mixed": good((nature) => [nature.pick(mixable), nature.pick(mixable), nature.pick(mixable)]),
}

export const badKinds: Readonly<Record<string, (nature: Nature) => Plan>> = {
  "ab-err-0.1-5": bad(errors(0.001, 0.05)),
  "ab-err-1-2": bad(errors(0.01, 0.02)),
  "ab-err-1-1.5": bad(errors(0.01, 0.015), { pace: hard }),
  "ab-err-0-0.5": bad(errors(0, 0.005)),
  "ab-lat-p50-10": bad((n) => ({ of: "latency", shape: "shift", factor: 1 + about(n, 0.1), part: 1 }), {
    pace: hard,
  }),
  "ab-lat-tail": bad(
    (n) => ({ of: "latency", shape: "tail", factor: about(n, 2), part: n.uniform(0.02, 0.04) }),
    {
      pace: hard,
    },
  ),
  "ab-lat-bimodal": bad((n) => ({
    of: "latency",
    shape: "bimodal",
    factor: n.uniform(1.5, 5),
    part: n.uniform(0.05, 0.5),
  })),
  "ab-throughput": bad((n) => ({ of: "jobs_done", left: 1 - n.uniform(0.2, 0.4) })),
  "ab-signups": bad((n) => ({ of: "signups", left: 1 - n.uniform(0.3, 0.5) })),
  "ab-mem-leak": bad((n) => ({ of: "memory_mb", perHour: n.uniform(0.5, 1.5) }), { lengths: long }),
  "ab-cpu-20": bad((n) => ({ of: "cpu_percent", factor: 1 + about(n, 0.2) })),
  "ab-crash-loop": bad((n) => ({ of: "crashes", every: n.uniform(100, 160) })),
  "ab-late": (n) => bad(plain, { lengths: long, onset: n.uniform(600, 900) })(n),
  "ab-masked": (n) =>
    bad(plain, { flavours: new Set([n.pick(["spike", "outage", "missing", "noisy-control"] as const)]) })(n),
}
