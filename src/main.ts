import { Command, CommanderError } from "commander"
import { exit, exitMeanings, Stop } from "./cli/client.ts"
import { addServerCommands } from "./main/server-commands.ts"
import { addStoreCommands } from "./main/store-commands.ts"
import { version } from "./main/version.ts"

const program = new Command("immunity")
  .description("A cluster immune system: commits climb regions, and what is worse comes back by itself.")
  .version(version(), "--version")
  // What follows a subcommand is the subcommand's.
  .enablePositionalOptions()
  .exitOverride()
  .configureHelp({ sortSubcommands: false })
  .showHelpAfterError("(see: immunity help)")

addServerCommands(program)
addStoreCommands(program)
// Users wait while a router, an agent or a control plane starts: what only people at a keyboard need is not loaded.
if (!["router", "agent", "serve"].includes(process.argv[2] ?? "")) {
  const { addConfigCommands } = await import("./main/config-commands.ts")
  const { addClientCommands } = await import("./cli/commands.ts")
  const { addDriverCommand } = await import("./main/driver-command.ts")
  const { addImportCommand } = await import("./main/import-command.ts")
  const { addJudgeCommands } = await import("./main/judge-commands.ts")
  const { addSimulateCommand } = await import("./main/simulate-command.ts")
  addConfigCommands(program)
  addJudgeCommands(program)
  addImportCommand(program)
  addDriverCommand(program)
  addSimulateCommand(program)
  addClientCommands(program)
}
program
  .helpCommand(false)
  .command("help [topic...]")
  .description("a command, or exit-codes")
  .action((topic: readonly string[]) => {
    if (topic.join() === "exit-codes") return printExitCodes()
    let found: Command = program
    for (const [at, word] of topic.entries()) {
      const next = found.commands.find((command) => command.name() === word)
      if (!next)
        throw new Stop(
          exit.usage,
          `there is no command "${topic.slice(0, at + 1).join(" ")}"; see: immunity help ${topic.slice(0, at).join(" ")}`.trim(),
        )
      found = next
    }
    found.outputHelp()
  })

// Whoever reads may leave before the end, as `head` does: what serves or waits goes on without a word, what only tells ends.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED") throw error
  if (["logs", "watch"].includes(process.argv[2] ?? "")) process.exit()
})

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = codeOf(error)
}

function printExitCodes(): void {
  for (const [name, code] of Object.entries(exit))
    process.stdout.write(`${String(code).padStart(4)}  ${exitMeanings[name as keyof typeof exit]}\n`)
}

function codeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exit.usage
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`immunity: ${message}\n`)
  if (process.env.IMMUNITY_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  return error instanceof Stop ? error.code : exit.broken
}
