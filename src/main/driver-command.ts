import type { Command } from "commander"
import { exit, Stop } from "../cli/client.ts"
import type { Finding } from "./driver-check/check.ts"
import { executable } from "./executable.ts"

type Options = { readonly json?: boolean; readonly only?: string; readonly patience: string }

/** For whoever writes a driver: the promises that `serve --compute script` rests on, asked one by one. */
export function addDriverCommand(program: Command): void {
  program
    .command("driver")
    .description("executables that run instances where Immunity itself cannot")
    .command("check <driver>")
    .description("asks a driver for every promise of docs/guides/writing-a-driver.md; changes nothing else")
    .option("--only <families>", "protocol, start, stop, end, survival, drift, refusal, forget; by commas")
    .option("--patience <seconds>", "how long anything may take", "30")
    .option("--json", "one JSON object")
    .action(check)
}

async function check(file: string, options: Options): Promise<void> {
  const { checkDriver, families } = await import("./driver-check/check.ts")
  const only = options.only?.split(",") ?? []
  const unknown = only.filter((family) => !families.includes(family))
  if (unknown.length > 0)
    throw new Stop(exit.usage, `--only ${unknown.join()}: choose among ${families.join(", ")}`)
  const patience = Number(options.patience)
  if (!(patience > 0))
    throw new Stop(exit.usage, `--patience ${options.patience} is not a number of seconds above 0`)
  const began = performance.now()
  const chosen = { file: executable(file), only, patienceMs: patience * 1_000 }
  const findings = await checkDriver(chosen, options.json ? undefined : print)
  const seconds = Math.round((performance.now() - began) / 100) / 10
  const count = (result: Finding["result"]) => findings.filter((finding) => finding.result === result).length
  const counts = { kept: count("kept"), broken: count("broken"), notAsked: count("not-asked") }
  const ok = counts.broken === 0
  if (options.json)
    process.stdout.write(`${JSON.stringify({ driver: file, ok, ...counts, seconds, rules: findings })}\n`)
  else
    process.stdout.write(
      `\n${counts.kept} kept, ${counts.broken} broken, ${counts.notAsked} not asked, in ${seconds} s\n`,
    )
  if (!ok) process.exitCode = exit.badEnd
}

function print({ family, rule, result, found, because, advice }: Finding): void {
  process.stdout.write(`${result.padEnd(10)} ${family.padEnd(9)} ${rule}\n`)
  const more = (word: string, text: string) => process.stdout.write(`${" ".repeat(21)}${word}: ${text}\n`)
  if (found !== undefined) more(result === "broken" ? "found" : "why not", found.split("\n").join(" "))
  if (result !== "broken") return
  more("it matters", because)
  more("what to do", advice)
}
