import type { Command } from "commander"
import { dataDir } from "../cli/client.ts"
import type { Where } from "./backup.ts"

/** What works on a store itself; beside a running server where it only reads. Loaded when called. */
export function addStoreCommands(program: Command): void {
  const on = (name: string, says: string): Command =>
    program
      .command(name)
      .description(says)
      .option("--dir <folder>", "the data folder of the server", dataDir())
      .option("--db <address>", "postgres://…, when it is there; or IMMUNITY_DB")
  on("backup <file>", "writes everything to a file, also while the server runs").action(
    async (file: string, where: Where) => (await import("./backup.ts")).backup(file, where),
  )
  on("restore <file>", "puts a backup into an empty store, all of it or nothing").action(
    async (file: string, where: Where) => (await import("./backup.ts")).restore(file, where),
  )
  on("doctor", "looks at git, secrets, store, disk and server, and says what to do; changes nothing")
    .option("--server <url>", "where the control plane answers")
    .option("--json", "the findings as JSON")
    .action(async (where: Where & { server?: string; json?: boolean }) =>
      (await import("./doctor.ts")).doctor(where),
    )
}
