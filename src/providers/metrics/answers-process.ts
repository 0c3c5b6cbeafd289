import { setPriority } from "node:os"
import { Comparer } from "./answers-compare.ts"
import type { FromAnswers, ToAnswers } from "./answers-wire.ts"

/** Questions at a time; what comes on top is refused, never queued. */
const mostAtOnce = 4
/** Without a question it ends; the next one starts it again. */
const idleFor = 60_000

/** The process that compares answers: told what to ask over its channel, and nothing else. */
function main(): void {
  // Users' requests come first on every machine that is short of time.
  setPriority(10)
  const comparer = new Comparer()
  let underWay = 0
  const idle = setTimeout(() => process.exit(0), idleFor)
  const say = (answer: FromAnswers) => process.send?.(answer)
  process.on("disconnect", () => process.exit(0))
  process.on("message", ({ id, compare }: ToAnswers) => {
    idle.refresh()
    if (underWay >= mostAtOnce) {
      say({
        id,
        because: `answers of ${underWay} rollouts are being compared already; this round is left out`,
      })
      return
    }
    underWay += 1
    comparer
      .compare(compare)
      .then(
        (seen) => say({ id, seen }),
        (error: unknown) => say({ id, because: error instanceof Error ? error.message : String(error) }),
      )
      .finally(() => {
        underWay -= 1
      })
  })
}

main()
