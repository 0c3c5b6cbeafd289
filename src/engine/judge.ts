import {
  type JudgeState,
  observe,
  observeControlBefore,
  observeWarmUp,
  sourceBroken,
  startJudge,
  tryAgain,
  verdicts,
} from "../core/judge/judge.ts"
import {
  calibrateKayenta,
  kayentaVerdicts,
  observeKayenta,
  startKayenta,
  tryKayentaAgain,
} from "../core/judge/kayenta/judge.ts"
import type { Measurement } from "../core/model/measurement.ts"
import type { Verdict } from "../core/model/verdict.ts"
import type { MeasureSpec } from "../core/pipeline/effects.ts"

/** A judge at its work: a fold over closed intervals, in the order in which they were stored. */
export interface Judge {
  /** Names of the metrics that it hears; it throws on others. */
  readonly metrics: ReadonlySet<string>
  observe(measurement: Measurement): void
  /** The warm-up, in which a good canary may be worse. */
  observeWarmUp(measurement: Measurement): void
  /** The time when the control's instances were a canary: how instances differ. Metrics it does not hear are left out. */
  observeControlBefore(measurement: Measurement): void
  /** What was heard so far was an earlier attempt. */
  tryAgain(): void
  verdicts(): readonly Verdict[]
  sourceBroken(): boolean
}

/** Ours, or the one that the policy chose. Without a control Kayenta has nothing to say. */
export function judgeFor({ metrics, minSamples, control, judge, harm }: MeasureSpec): Judge {
  const own = startJudge(metrics, { minSamples, solo: control === undefined, harm: harm === true })
  const names = new Set(metrics.map(({ name }) => name))
  if (judge === undefined || control === undefined)
    return folding<JudgeState>(own, names, {
      observe,
      observeWarmUp,
      observeControlBefore,
      tryAgain,
      verdicts,
      sourceBroken,
    })
  return folding(startKayenta(own, judge), names, {
    observe: observeKayenta,
    observeWarmUp: calibrateKayenta,
    observeControlBefore: (state) => state,
    tryAgain: tryKayentaAgain,
    verdicts: kayentaVerdicts,
    sourceBroken: (state) => sourceBroken(state.own),
  })
}

function folding<S>(
  first: S,
  metrics: ReadonlySet<string>,
  how: {
    readonly observe: (state: S, measurement: Measurement) => S
    readonly observeWarmUp: (state: S, measurement: Measurement) => S
    readonly observeControlBefore: (state: S, measurement: Measurement) => S
    readonly tryAgain: (state: S) => S
    readonly verdicts: (state: S) => readonly Verdict[]
    readonly sourceBroken: (state: S) => boolean
  },
): Judge {
  let state = first
  return {
    metrics,
    observe(measurement) {
      state = how.observe(state, measurement)
    },
    observeWarmUp(measurement) {
      state = how.observeWarmUp(state, measurement)
    },
    observeControlBefore(measurement) {
      state = how.observeControlBefore(state, measurement)
    },
    tryAgain() {
      state = how.tryAgain(state)
    },
    verdicts: () => how.verdicts(state),
    sourceBroken: () => how.sourceBroken(state),
  }
}
