import type { Command } from "commander"
import type { SimulateOptions } from "./simulate/simulate.ts"

export function addSimulateCommand(program: Command): void {
  program
    .command("simulate")
    .description("what the judge would have said of two CSV files: time, requests and errors, latency")
    .requiredOption("--canary <file>", "what the new version showed")
    .requiredOption("--control <file>", "what the old one showed at the same time")
    .option("--svg <file>", "the plot as a picture")
    .option("--json", "one JSON object")
    .option("--tolerate-errors <amounts>", "beyond the control", "20%,0.5pp")
    .option("--tolerate-latency <amounts>", "beyond the control", "25%,20ms")
    .addHelpText("after", "\nEnds with 0 good, 5 worse, 7 cannot tell. The format: docs/guides/simulate.md")
    .action(async (options: SimulateOptions) => {
      const { simulate } = await import("./simulate/simulate.ts")
      simulate(options)
    })
}
