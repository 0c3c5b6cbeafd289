import type { Order } from "../ports/orders.ts"
import type { Result } from "./ledger.ts"
import { type Parts, sentence } from "./parts.ts"

/** How long a person waits for the control plane that holds the application; a take-over fits into it. */
const patience = 15_000
const atOnce = 20

/** Leaves an order for whichever control plane holds the application, and waits for its answer. */
export async function passOn(parts: Pick<Parts, "orders" | "clock" | "pace">, order: Order): Promise<Result> {
  const { orders, clock, pace } = parts
  await orders.leave(order)
  const deadline = clock.mono() + patience
  while (clock.mono() < deadline) {
    const answer = await orders.take(order.id)
    if (answer !== undefined) return answer as Result
    // Whoever holds the application looks once in that time; a person should not notice that another one was asked.
    await clock.sleep(pace.busy / 2)
  }
  // It may still be obeyed: the id makes a second try the same order.
  return { kind: "not-leader" }
}

/** Obeys the orders that were left for applications that are held here. */
export async function obeyOrders(
  parts: Pick<Parts, "orders" | "clock" | "log" | "pace">,
  obey: (order: Order) => Promise<Result | undefined>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await parts.clock.sleep(parts.pace.busy, signal)
    try {
      for (const order of signal.aborted ? [] : await parts.orders.waiting(atOnce)) {
        const result = await obey(order)
        if (result && result.kind !== "not-leader") await parts.orders.answer(order.id, short(result))
      }
    } catch (error) {
      parts.log.warn({ part: "orders" }, sentence(error))
    }
  }
}

/** Whoever asked reads the events from the journal; the answer need not carry them. */
const short = (result: Result): Result => (result.kind === "done" ? { ...result, events: [] } : result)
