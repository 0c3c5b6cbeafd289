import type { Command } from "commander"
import type { KillSwitchView } from "../api/contract/views.ts"
import { consent } from "./consent.ts"
import { line, print } from "./print.ts"
import { base, type Common, client } from "./target.ts"

type Order = Common & { readonly reason: string; readonly yes?: boolean }

/** The switch that stops every change of every application, on all control planes. */
export function addKillSwitch(program: Command): void {
  const killSwitch = base(program, "kill-switch", "whether every change is stopped, and by whom")
    .enablePositionalOptions()
    .action(async (options: Common) => say(options, await client(options).get("/v1/kill-switch")))
  for (const [verb, says, consequences] of [
    [
      "set",
      "stops every change of every application, on all control planes",
      [
        "nothing is started, ended, routed or taken back until: immunity kill-switch lift",
        "what runs keeps running; orders are written down and wait",
      ],
    ],
    ["lift", "lets everything go on", ["whatever waits goes on at once, rollbacks first of all"]],
  ] as const) {
    base(killSwitch, verb, says)
      .requiredOption("--reason <why>", "why; it stands in the log")
      .option("--yes", "without asking")
      .action(async (options: Order) => {
        await consent(options, `${verb} the kill switch`, consequences)
        const { reason } = options
        say(options, await client(options).post(`/v1/kill-switch/${verb}`, { reason }))
      })
  }
}

function say(options: Common, view: KillSwitchView): void {
  print(options, view, () => {
    if (!view.set) line("not set: everything goes on")
    for (const because of view.because) line(`set: ${because}`)
  })
}
