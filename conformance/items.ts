import { control } from "./items/control.ts"
import { failures } from "./items/failures.ts"
import { health } from "./items/health.ts"
import { limits } from "./items/limits.ts"
import { messages } from "./items/messages.ts"
import { refusals } from "./items/refusals.ts"
import { streams } from "./items/streams.ts"
import type { Item } from "./product.ts"

/** The checklist, in its order. */
export const items: readonly Item[] = [
  ...refusals,
  ...messages,
  ...failures,
  ...streams,
  ...control,
  ...health,
  ...limits,
].sort((a, b) => a.id.localeCompare(b.id))
