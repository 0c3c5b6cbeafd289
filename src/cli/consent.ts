import { confirm, isCancel } from "@clack/prompts"
import { exit, Stop } from "./client.ts"
import { safe } from "./print.ts"

/**
 * Says what an order will do, and asks. `--yes` answers for those who cannot be asked; without a terminal and without
 * it nothing is done.
 */
export async function consent(
  options: { readonly yes?: boolean },
  what: string,
  consequences: readonly string[],
): Promise<void> {
  process.stderr.write(safe(`${what}:\n${consequences.map((sentence) => `  - ${sentence}\n`).join("")}`))
  if (options.yes) return
  if (!process.stdin.isTTY) {
    throw new Stop(exit.usage, `nobody can be asked here: to ${what.split(" ")[0]} without asking, say --yes`)
  }
  const answer = await confirm({ message: `Do it: ${what}?`, initialValue: false })
  if (isCancel(answer)) throw new Stop(exit.interrupted, "stopped; nothing was changed")
  if (!answer) throw new Stop(exit.refused, "nothing was changed")
}
