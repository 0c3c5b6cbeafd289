import type { Command } from "commander"
import type { InstanceView, InvitationView, ServerView } from "../api/contract/views.ts"
import { consent } from "./consent.ts"
import { patience } from "./follow.ts"
import { clock, line, print, printInstances } from "./print.ts"
import { base, type Common, client } from "./target.ts"

type Order = Common & { readonly reason: string; readonly yes?: boolean }

/** The servers: who is there, who may join, who is left. */
export function addServers(program: Command): void {
  const servers = base(program, "servers [app]", "the servers; with an application its instances")
    .enablePositionalOptions()
    .action(async (app: string | undefined, options: Common) => {
      if (app === undefined) return list(options)
      const instances = await client(options).get<InstanceView[]>(`/v1/apps/${app}/servers`)
      print(options, instances, () => printInstances(instances))
    })
  base(servers, "list", "the servers").action(list)
  base(servers, "invite <server>", "a one-time token that lets a machine join as this server")
    .option("--expires <duration>", "how long it is good: 30m, 2h", "1h")
    .action(async (server: string, options: Common & { expires: string }) => {
      const minutes = Math.max(1, Math.round(patience(options.expires) / 60_000))
      const invited = await client(options).post<InvitationView>("/v1/servers/invitations", {
        server,
        minutes,
      })
      print(options, invited, () => {
        line(`good once, until ${clock(invited.expiresAt)} UTC; on ${server}, with its own address, run:`)
        line(
          `immunity agent join --to ${invited.to} --address ADDRESS:7301 --dir FOLDER --token ${invited.token}`,
        )
      })
    })
  order(servers, "drain", "moves what runs there elsewhere, and places nothing new", (server) => [
    `what runs on ${server} is started elsewhere first, then leaves it`,
    "nothing new is placed there until: immunity servers undrain",
  ])
  order(servers, "undrain", "uses it again", (server) => [`new instances may be placed on ${server}`])
  order(servers, "remove", "forgets it; its certificate is not renewed any more", (server) => [
    `no order reaches ${server} from now on; what still runs there is not ended: drain it first`,
    "its certificate is not renewed; to come back it needs a new invitation",
  ])
}

function order(
  servers: Command,
  verb: string,
  says: string,
  consequences: (server: string) => readonly string[],
): void {
  base(servers, `${verb} <server>`, says)
    .option("--reason <why>", "why; it stands in the log", "ordered by a person")
    .option("--yes", "without asking")
    .action(async (server: string, options: Order) => {
      await consent(options, `${verb} ${server}`, consequences(server))
      const done = await client(options).post(`/v1/servers/${encodeURIComponent(server)}/${verb}`, {
        reason: options.reason,
      })
      print(options, done, () => line("accepted"))
    })
}

async function list(options: Common): Promise<void> {
  const servers = await client(options).get<ServerView[]>("/v1/servers")
  print(options, servers, () => {
    for (const one of servers) line(inWords(one))
  })
}

function inWords(one: ServerView): string {
  const state = one.answers ? (one.drained ? "drained" : "answers") : "silent"
  const runs = one.instances.map(({ app, commit, count, ready }) => `${app} ${commit} ${ready}/${count}`)
  const notes = [
    one.room && `free: ${one.room}`,
    one.drained && `drained by ${one.drained.by}: ${one.drained.because}`,
    one.problem,
    one.outdated && `${one.outdated.says}; ${one.outdated.next}`,
  ].filter(Boolean)
  return [
    one.server.padEnd(16),
    state.padEnd(8),
    (one.version ?? "").padEnd(22),
    (one.address ?? "this machine").padEnd(22),
    runs.join(", ") || "nothing",
    ...notes.map((note) => `  (${note})`),
  ].join(" ")
}
