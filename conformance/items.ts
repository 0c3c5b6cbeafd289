import { control } from "./items/control.ts"
import { failures } from "./items/failures.ts"
import { health } from "./items/health.ts"
import { limits } from "./items/limits.ts"
import { messages } from "./items/messages.ts"
import { refusals } from "./items/refusals.ts"
import { streams } from "./items/streams.ts"
import type { Item } from "./product.ts"

const inOrder = (all: readonly Item[]): readonly Item[] =>
  all.toSorted((one, other) => one.id.localeCompare(other.id))

/** What concerns messages and connections: 01 to 45, asked of one backend behind one router without orders. */
export const ofMessages: readonly Item[] = inOrder([...refusals, ...messages, ...failures, ...streams])

/** The checklist, in its order. */
export const items: readonly Item[] = inOrder([...ofMessages, ...control, ...health, ...limits])
