import type { Generated } from "kysely"

/** Every change of the tables raises it; a store with a higher one is refused. */
export const schemaVersion = 3

export type Tables = {
  meta: { key: string; value: string }
  event: {
    sequence: Generated<number>
    stream: string
    version: number
    epoch: number
    command_id: string | null
    kind: string
    at: number
    by: string
    because: string
    /** Canonical JSON of the event. */
    body: string
    prev_hash: string
    hash: string
  }
  /** `body` is the packed state in base64; `sum` covers all other columns. */
  snapshot: { stream: string; version: number; hash: string; code: string; body: string; sum: string }
  command: { id: string; stream: string; at: number; result: string }
  /** `owner` is null when it was given back; the epoch never falls. */
  lease: { key: string; owner: string | null; epoch: number; expires_at: number }
  /** Waiting and dead letters; what was delivered is removed. `due_at` is null for a dead letter. */
  outbox: {
    id: Generated<number>
    attempts: number
    due_at: number | null
    last_error: string | null
    notice: string
  }
  interval: {
    id: Generated<number>
    app: string
    rollout: number
    stage: string
    step: number
    from_at: number
    to_at: number
    judged: number
    measurements: string
  }
  evidence: { hash: string; body: string; at: number }
  policy: { app: string; yaml: string; at: number }
  /** Left by one control plane for the one that holds the application; `answer` is null until it has one. */
  order: { id: string; app: string; command: string; by: string; at: number; answer: string | null }
}
