import { existsSync } from "node:fs"
import { connect } from "node:net"
import { shutdownAgent } from "../agent/client.ts"
import { socketPath } from "../agent/server.ts"
import { exit, Stop } from "../cli/client.ts"
import { becomeWriter } from "../store/single-writer.ts"
import { foldersIn } from "./folders.ts"

const patience = 120_000

/**
 * Ends what goes on after `serve` has ended: the agent of this machine, its router and every instance. Throws
 * StoreInUse while the control plane runs, which would start them again.
 */
export async function stopAgent(options: { readonly dir: string; readonly yes?: boolean }): Promise<void> {
  if (!existsSync(options.dir))
    throw new Stop(exit.usage, `${options.dir} does not exist; name the data folder of serve with --dir`)
  const { agent, store } = foldersIn(options.dir)
  const { release } = becomeWriter(store)
  try {
    const socket = socketPath(agent)
    if (!(await answers(socket)))
      throw new Stop(
        exit.broken,
        `no agent answers at ${socket}: nothing was stopped. If it was killed, its router and instances live on; immunity serve starts it again, and it finds them`,
      )
    const { consent } = await import("../cli/consent.ts")
    await consent(options, `stop everything that runs from ${options.dir}`, [
      "every instance of every application on this machine is ended, and the router: users meet nobody",
      "what is stored stays; immunity serve starts it all again",
    ])
    await shutdownAgent(socket, AbortSignal.timeout(patience))
    process.stdout.write("stopped: the agent, its router and every instance\n")
  } finally {
    release()
  }
}

/** A socket whose agent was killed is still there, and refuses. */
const answers = (socket: string): Promise<boolean> =>
  new Promise((resolve) => {
    const line = connect(socket)
    line.once("error", () => resolve(false))
    line.once("connect", () => {
      line.destroy()
      resolve(true)
    })
  })
