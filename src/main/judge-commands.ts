import type { Command } from "commander"
import { exit, Stop } from "../cli/client.ts"

/** The judge alone, without a server. */
export function addJudgeCommands(program: Command): void {
  program
    .command("judge")
    .description("judges a stream of measurements: one decision line on stdout for each tick on stdin")
    .option("--stream", "JSON Lines: a header, observations, ticks (see docs/internals/judge.md)")
    .action(async (options: { stream?: boolean }) => {
      if (!options.stream)
        throw new Stop(exit.usage, "say what to judge: immunity judge --stream < case.jsonl")
      const { runStream } = await import("./judge-stream/run-stream.ts")
      await runStream(process.stdin, process.stdout)
    })
}
