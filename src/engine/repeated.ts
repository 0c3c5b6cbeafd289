import { hash } from "node:crypto"
import { canonicalJson } from "../core/model/canonical-json.ts"
import { type Refusal, refuse } from "../core/pipeline/draft.ts"
import type { Command, Fact } from "../core/pipeline/input.ts"

/** What is kept of an order beside its id. `of` is absent where a version before this one kept it. */
type Kept = { readonly version: number; readonly of?: string }

/** To be kept with an order's events, so that the same id tells the same order from another one. */
export const keptOf = (order: Command | Fact, version: number): Kept => ({ version, of: markOf(order) })

/**
 * Why an order whose id is known is not done already; undefined when it is the same one again, because its first answer
 * was lost. Another one under its id would be lost otherwise (draft-ietf-httpapi-idempotency-key-header, 2.7).
 */
export function otherThan(kept: unknown, order: Command | Fact): Refusal | undefined {
  const { of } = kept as Kept
  if (of === undefined || of === markOf(order)) return undefined
  const because = "another order was given under this Idempotency-Key; this one was not carried out"
  return refuse("key-reused", `${because}: give it again under a key of its own`)
}

/** The same wherever a store, through which an order was passed on, puts its keys. */
const markOf = (order: Command | Fact): string => hash("sha256", canonicalJson(unsealed(order))).slice(0, 16)

/** What is sealed looks different each time. */
function unsealed(order: Command | Fact): unknown {
  if (order.type !== "configure") return order
  const changes = order.changes.map(({ value, ...change }) => ({
    ...change,
    value: value && "sealed" in value ? "sealed" : value,
  }))
  return { ...order, changes }
}
