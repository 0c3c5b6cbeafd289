import type { AppName } from "../core/model/ids.ts"
import type { Command } from "../core/pipeline/input.ts"

/** What a person ordered at a control plane that does not hold the application. */
export type Order = {
  /** Of the command: an order that is left twice takes effect once. */
  readonly id: string
  readonly app: AppName
  readonly command: Command
  readonly by: string
}

/** Where control planes leave orders for the one that holds the application, and find its answers. */
export interface Orders {
  leave(order: Order): Promise<void>
  /** Unanswered ones, oldest first, at most `limit`. */
  waiting(limit: number): Promise<readonly Order[]>
  /** The answer must be plain JSON. */
  answer(id: string, answer: unknown): Promise<void>
  /** Undefined until there is one; then it is taken away with its order. */
  take(id: string): Promise<unknown>
}
