import type { CopiedRequest } from "../../core/answers/copied.ts"
import type { Observation } from "../../core/model/measurement.ts"

/** What the control plane and the process that compares answers say to each other. */
export type ToAnswers = { readonly id: number; readonly compare: ToCompare }

export type FromAnswers = { readonly id: number } & (
  | { readonly seen: Observation }
  | { readonly because: string }
)

export type ToCompare = {
  readonly app: string
  /** Where they answer, by instance. */
  readonly candidates: Readonly<Record<string, string>>
  readonly stable: Readonly<Record<string, string>>
  readonly requests: readonly ToAsk[]
}

export type ToAsk = Omit<CopiedRequest, "at">
