import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import type { Command } from "commander"
import { exit, Stop } from "../cli/client.ts"
import { printProblems } from "../config/problem.ts"
import { readPolicy } from "../config/read-policy.ts"
import { FileSchema } from "../config/schema.ts"

/** What works on files alone, without a server. */
export function addConfigCommands(program: Command): void {
  program
    .command("validate [files...]")
    .description("checks immunity.yaml; every mistake with its place and a way out")
    .option("--json", "one JSON object")
    .action((files: string[], options: { json?: boolean }) =>
      validate(files.length > 0 ? files : ["immunity.yaml"], options.json === true),
    )
  program
    .command("schema")
    .description("the JSON Schema of immunity.yaml")
    .option("--out <file>", "into a file")
    .action((options: { out?: string }) => {
      const text = `${JSON.stringify(FileSchema, null, 2)}\n`
      if (options.out) writeFileSync(options.out, text)
      else process.stdout.write(text)
    })
  program
    .command("init")
    .description("writes a first immunity.yaml here")
    .requiredOption("--app <name>", "its name")
    .option("--start <command>", "how to start it; gets PORT", "node server.js")
    .option("--test <command>", "how to test it; gets IMMUNITY_URL")
    .option("--build <command>", "how to build it")
    .action(init)
}

function validate(files: readonly string[], json: boolean): void {
  const found = files.map((file) => {
    if (!existsSync(file))
      throw new Stop(exit.usage, `${file} does not exist; make one with: immunity init --app NAME`)
    if (statSync(file).isDirectory()) throw new Stop(exit.usage, `${file} is a folder; name a file in it`)
    const text = readFileSync(file, "utf8")
    const read = readPolicy(text, { file, now: Date.now() })
    return {
      file,
      text,
      problems: "problems" in read ? read.problems : read.warnings,
      ok: !("problems" in read),
    }
  })
  if (json)
    process.stdout.write(
      `${JSON.stringify(found.map(({ file, ok, problems }) => ({ file, ok, problems })))}\n`,
    )
  else {
    for (const { file, text, problems, ok } of found) {
      if (problems.length > 0) process.stdout.write(`${printProblems(problems, text)}\n`)
      if (ok) process.stdout.write(`${file} is valid\n`)
    }
  }
  if (found.some(({ ok }) => !ok)) process.exitCode = exit.config
}

/** Builds have no network by default; one that plainly fetches is given it, where everybody can see it. */
const network = (build: string): string =>
  /\b(npm (ci|i|install)|yarn|pnpm|bun|pip|poetry|uv|cargo|go|mvn|gradle|bundle|composer)\b/.test(build)
    ? ", network: allowed"
    : ""

function init(options: { app: string; start: string; test?: string; build?: string }): void {
  if (existsSync("immunity.yaml"))
    throw new Stop(exit.usage, "immunity.yaml is there already; nothing was changed")
  const lines = [
    "version: 1",
    `app: ${options.app}`,
    ...(options.build
      ? [`build: { command: ${JSON.stringify(options.build)}${network(options.build)} }`]
      : []),
    `start: ${JSON.stringify(options.start)}   # gets PORT`,
    ...(options.test
      ? [`test: ${JSON.stringify(options.test)}   # gets IMMUNITY_URL, the address of the new instances`]
      : []),
    "regions:",
    "  - { name: sandbox, listen: 8101 }",
    "  - { name: production, listen: 8102, size: 2, gate: button }",
    "metrics: http",
    "autonomy: { default: dry-run }   # watches and writes down what it would do; then manual, then auto",
    "",
  ]
  const text = lines.join("\n")
  const read = readPolicy(text, { file: "immunity.yaml", now: Date.now() })
  if ("problems" in read)
    throw new Stop(exit.usage, `nothing is written, as it would not be valid: ${read.problems[0]?.message}`)
  writeFileSync("immunity.yaml", text)
  process.stdout.write(
    "immunity.yaml is written. Next: immunity validate, commit it, immunity serve, immunity app add URL\n",
  )
}
