import type { Command } from "commander"
import { dataDir, exit, Stop } from "../cli/client.ts"
import type { AgentOptions } from "./agent.ts"
import { type ComputeFlags, computeOf, mostOf } from "./compute-choice.ts"
import type { DemoOptions } from "./demo/demo.ts"
import { portOf } from "./port.ts"
import { addRouterCommand } from "./router-command.ts"
import type { ServeOptions } from "./serve.ts"

const defaultEngine = "/var/run/docker.sock"
const registryHelp =
  "where images go that are built, and servers fetch them: registry.example.com:5000/team/images"

type ServeFlags = Omit<ServeOptions, "port" | "compute" | "mostInstances"> &
  ComputeFlags & { readonly port: string }
type AgentFlags = ComputeFlags & Partial<Omit<AgentOptions, "compute" | "mostInstances">>
type JoinFlags = ComputeFlags & {
  readonly to: string
  readonly address: string
  readonly token?: string
  readonly dir: string
}

/** What runs here rather than asks a server. Loaded when called: a client starts fast. */
export function addServerCommands(program: Command): void {
  program
    .command("demo")
    .description(
      "four regions, real traffic, a good commit, a bad commit, and the way back; on this machine only",
    )
    .option("--bad <kind>", "errors, slow, crash, leak, wrong, drift or blind")
    .option("--yes", "do not ask")
    .option("--json", "end with one JSON object")
    .option("--keep", "leave it running for exploration")
    .option("--port <port>", "of the page", "7300")
    .option("--router <name>", "embedded or haproxy", "embedded")
    .option(
      "--compute <kind>",
      "process, or docker: real containers, of a Podman of the demo's own",
      "process",
    )
    .option(
      "--strategy <name>",
      "immutable, or canary: production climbs under `ramp: adaptive`",
      "immutable",
    )
    .action(async (options: DemoOptions) => {
      const { demo } = await import("./demo/demo.ts")
      await demo(options)
    })
  program
    .command("serve")
    .description("the control plane: API, pages and engine")
    .option("--dir <folder>", "its data", dataDir())
    .option("--host <address>", "where it listens", "127.0.0.1")
    .option("--port <port>", "where it listens", "7300")
    .option(
      "--db <address>",
      "postgres://…, shared by several control planes; IMMUNITY_DB keeps it out of `ps`",
    )
    .option("--agent-dir <folder>", "of the agent and router that control planes on one machine share")
    .option("--token-file <file>", "the token of a group of control planes")
    .option("--agents <address>", "where other servers join, such as 10.0.0.1:7400; absent: none can")
    .option("--secrets-key-file <file>", "what a group of control planes seals secrets with")
    .option(
      "--compute <kind>",
      "process, docker or script: instances as plain processes, as containers, or by --driver",
      "process",
    )
    .option(
      "--engine <socket>",
      "where Docker or Podman answers; the agent alone speaks with it",
      defaultEngine,
    )
    .option("--driver <file>", "the executable that runs instances, for --compute script")
    .option("--registry <repository>", registryHelp)
    .option("--registry-login <file>", "one line, user:password; only its owner may read it")
    .option("--most-instances <count>", "that may run on this server, of all applications")
    .action(async (options: ServeFlags) => {
      const { serve } = await import("./serve.ts")
      const db = options.db ?? process.env.IMMUNITY_DB
      const compute = computeOf(options)
      const mostInstances = mostOf(options)
      const served = await serve({ ...options, db, port: portOf(options.port), compute, mostInstances })
      process.stdout.write(`immunity serves ${served.url}   data in ${options.dir}\n`)
      const stop = () => {
        void served.stop().then(() => process.exit(0))
      }
      process.once("SIGTERM", stop)
      process.once("SIGINT", stop)
    })
  const agent = program
    .command("agent")
    .description("the process on a server that runs instances, builds and tests")
    .option("--dir <folder>", "its data")
    .option("--router-dir <folder>", "the router's data; absent on a server that only runs instances")
    .option("--server <name>", "its name, where it has not joined as another", "local")
    .option("--compute <kind>", "process, docker or script", "process")
    .option("--engine <socket>", "where Docker or Podman answers", defaultEngine)
    .option("--driver <file>", "the executable that runs instances, for --compute script")
    .option("--registry <repository>", registryHelp)
    .option("--registry-login <file>", "one line, user:password; only its owner may read it")
    .option("--most-instances <count>", "that may run on this server, of all applications")
    .action(async (options: AgentFlags) => {
      const { startAgent } = await import("./agent.ts")
      const compute = computeOf(options)
      await startAgent({
        ...options,
        compute,
        mostInstances: mostOf(options),
        dir: needed(options.dir, "--dir <folder>"),
      })
    })
  agent
    .command("stop")
    .description("ends the agent of this machine, its router and every instance, once serve has ended")
    .option("--dir <folder>", "the data folder of serve", dataDir())
    .option("--yes", "without asking")
    .action(async (options: { dir: string; yes?: boolean }) => {
      const { stopAgent } = await import("./stop-agent.ts")
      await stopAgent(options)
    })
  agent
    .command("join")
    .description("lets this machine join a control plane as one of its servers, and runs its agent")
    .requiredOption("--to <address>", "https://… of the control plane, as `servers invite` printed it")
    .requiredOption("--address <address>", "where this machine answers, such as 10.0.0.11:7301")
    .option("--token <token>", "the one-time token; IMMUNITY_JOIN_TOKEN keeps it out of `ps`")
    .requiredOption("--dir <folder>", "its data")
    .option("--compute <kind>", "process, docker or script", "process")
    .option("--engine <socket>", "where Docker or Podman answers", defaultEngine)
    .option("--driver <file>", "the executable that runs instances, for --compute script")
    .option("--registry <repository>", registryHelp)
    .option("--registry-login <file>", "one line, user:password; only its owner may read it")
    .option("--most-instances <count>", "that may run on this server, of all applications")
    .action(async (options: JoinFlags) => {
      const { joinAndStart } = await import("./agent.ts")
      const token = needed(options.token ?? process.env.IMMUNITY_JOIN_TOKEN, "--token <token>")
      await joinAndStart({ ...options, token, compute: computeOf(options), mostInstances: mostOf(options) })
    })
  addRouterCommand(program)
}

function needed(value: string | undefined, option: string): string {
  if (value === undefined) throw new Stop(exit.usage, `say ${option}`)
  return value
}
