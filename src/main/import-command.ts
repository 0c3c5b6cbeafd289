import { existsSync, readFileSync, writeFileSync } from "node:fs"
import type { Command } from "commander"
import { stringify } from "yaml"
import { exit, Stop } from "../cli/client.ts"
import { importKayenta, type ReportLine } from "../config/kayenta/import.ts"

type Options = { readonly prometheus?: string; readonly out?: string; readonly json?: boolean }

/** What other tools have written down, in our words. */
export function addImportCommand(program: Command): void {
  program
    .command("import")
    .description("takes over what another tool was told; lands in dry-run, and nothing is left out silently")
    .command("kayenta <file>")
    .description("metrics, thresholds and judge of a Kayenta canary config, as keys of immunity.yaml")
    .option("--prometheus <url>", "where the metrics are asked")
    .option("--out <file>", "into a new file instead of the output")
    .option("--json", "one JSON object: yaml and report")
    .action(fromKayenta)
}

function fromKayenta(file: string, options: Options): void {
  if (!existsSync(file)) throw new Stop(exit.usage, `${file} does not exist`)
  if (options.out !== undefined && existsSync(options.out))
    throw new Stop(exit.usage, `${options.out} is there already; nothing was changed`)
  if (options.prometheus !== undefined && !/^https?:\/\//.test(options.prometheus))
    throw new Stop(exit.usage, `--prometheus ${options.prometheus} is not an address of http or https`)
  const { yaml, report } = read(file, options.prometheus)
  const text = `# From ${file}: keys of immunity.yaml. It is a dry run: watch its verdicts, then choose the autonomy.\n${stringify(yaml, { lineWidth: 0 })}`
  if (options.out !== undefined) writeFileSync(options.out, text)
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ yaml: text, report })}\n`)
    return
  }
  if (options.out === undefined) process.stdout.write(text)
  process.stderr.write(`${inLines(report)}\n`)
}

function read(file: string, prometheusUrl: string | undefined) {
  try {
    return importKayenta(readFileSync(file, "utf8"), prometheusUrl)
  } catch (error) {
    throw new Stop(exit.config, `${file}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function inLines(report: readonly ReportLine[]): string {
  return (["mapped", "changed", "dropped"] as const)
    .flatMap((kind) => {
      const lines = report.filter((line) => line.kind === kind)
      return [`${kind}: ${lines.length}`, ...lines.map(({ what, how }) => `  ${what}: ${how}`)]
    })
    .join("\n")
}
