import { resolve } from "node:path"
import type { Command } from "commander"
import { Stop } from "../cli/client.ts"
import type { RouterOptions } from "../router/read-options.ts"
import { makeFolder } from "./folders.ts"

/** `immunity router`: told by an agent over its socket, or alone by the command line. */
export function addRouterCommand(program: Command): void {
  const gather = (one: string, before: readonly string[] | undefined) => [...(before ?? []), one]
  program
    .command("router")
    .description("the data plane: splits traffic, serves from its own file with everything else dead")
    .option(
      "--dir <folder>",
      "its data, and the sockets over which it is told; without it only the flags count",
    )
    .option("--listen <address>", "where users come in, when it runs alone")
    .option("--to <address[=weight]>", "who answers; once for each, weights in proportion", gather)
    .option("--sticky <by>", "keeps a user on one side: cookie=NAME, header=NAME, address or none", "none")
    .option("--salt <text>", "shuffles sticky users anew")
    .option("--mirror <address[=share]>", "gets a copy of reads; its answers reach nobody")
    .option("--mirror-timeout <time>", "for a copy (1s)")
    .option("--expose", "answers name their pool in x-immunity-pool")
    .option("--workers <n>", "processes that carry traffic; 0: this one (0)")
    .option("--cert <file>", "users come in over TLS; read again when it changes")
    .option("--key <file>", "of the certificate")
    .option("--metrics <address>", "where Prometheus reads GET /metrics")
    .option("--header-timeout <time>", "from the first byte of a head to its last (10s)")
    .option("--response-timeout <time>", "from a request to the head of its answer (60s)")
    .option("--idle-timeout <time>", "of a client connection without a request (75s)")
    .option("--connect-timeout <time>", "until an instance takes a connection (2s)")
    .option("--between-timeout <time>", "without a byte of a body (60s)")
    .option("--tunnel-timeout <time>", "of an upgraded connection without a byte (1h)")
    .option("--upstream-idle-timeout <time>", "of a resting connection to an instance (4s)")
    .option("--max-header-bytes <n>", "of a request's head (32768)")
    .option("--max-headers <n>", "fields of a request (128)")
    .option("--max-connections <n>", "of all clients (10000)")
    .option("--max-connections-per-address <n>", "of one client address (10000)")
    .option("--max-in-flight <n>", "requests on one instance; then 503 (1024)")
    .option("--eject-after <n>", "refused connections in a row (5)")
    .option("--eject-after-5xx <n>", "answers 5xx in a row; 0: never (5 alone, 0 with --dir)")
    .option("--ejection-time <time>", "the first time; the n-th time n times as long (30s)")
    .option("--health-path <path>", "asked of every instance; only those that pass get users")
    .option("--health-interval <time>", "(2s)")
    .option("--health-timeout <time>", "(1s)")
    .option("--health-rise <n>", "good answers in a row that bring one back (2)")
    .option("--health-fall <n>", "bad ones in a row that take one out (3)")
    .option("--drain-timeout <time>", "to finish what is under way when asked to end (10s)")
    .option("--retire-timeout <time>", "the same for a worker that is replaced (10m)")
    .option("--drain-tunnels <time>", "at weight 0: until upgraded connections are closed")
    .option("--drain-streams <time>", "at weight 0: until event streams are closed")
    .option("--drain-requests <time>", "at weight 0: until other answers are cut off")
    .option("--dead-man <time>", "without orders: all weight back to the stable pools (never)")
    .action(async (options: RouterOptions) => {
      if (options.dir !== undefined) makeFolder(resolve(options.dir), 0o700)
      const { runByOptions } = await import("../router/standalone.ts")
      await runByOptions(options).catch((error: unknown) => {
        throw new Stop(2, error instanceof Error ? error.message : String(error))
      })
    })
}
