import { type ChildProcess, spawn } from "node:child_process"
import { mkdir } from "node:fs/promises"
import { request } from "node:http"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { freePort } from "../../conformance/stage/program.ts"
import { soon } from "../../conformance/stage/waiting.ts"
import type { Router } from "../../src/ports/router.ts"
import { routers } from "../../src/providers/router/index.ts"

/** A router behind the port that the engine speaks to. */
export type Driven = {
  readonly name: string
  readonly router: Router
  /** Where its users come in. */
  readonly listen: string
  /** Resolves when a user gets an answer. */
  readonly ready: (signal: AbortSignal) => Promise<void>
  /** Of the embedded router: where its sockets are. */
  readonly dir: string | undefined
  readonly close: () => Promise<void>
}

const patience = 30_000

const immunity = fileURLToPath(new URL("../../bin/immunity", import.meta.url))

/** Starts the embedded router over a folder, with two workers, as a process of its own. */
export function startEmbedded(dir: string): ChildProcess {
  return spawn(immunity, ["router", "--dir", dir, "--workers", "2"], {
    stdio: ["ignore", "ignore", "inherit"],
  })
}

export function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else child.once("exit", () => resolve())
  })
}

export const freeAddress = async (): Promise<string> => `127.0.0.1:${await freePort()}`

/** Asks once on a connection of its own; undefined when nobody answers. */
export function status(address: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    // Whoever is killed in the middle of an answer, or with a connection in its hand, never says so.
    const asked = request(`http://${address}/`, { agent: false, timeout: 2_000 }, (answer) => {
      answer.resume()
      answer.on("end", () => resolve(answer.statusCode))
      answer.on("close", () => resolve(undefined))
    })
    asked.on("timeout", () => asked.destroy())
    asked.on("error", () => resolve(undefined))
    asked.end()
  })
}

const usersOf = (listen: string) => () =>
  soon(`an answer at ${listen}`, async () => (await status(listen)) === 200, patience)

async function embedded(parent: string): Promise<Driven> {
  const dir = join(parent, "embedded")
  await mkdir(dir)
  const child = startEmbedded(dir)
  const router = routers.embedded({ dir })
  const isThere = () =>
    router.state(AbortSignal.timeout(1_000)).then(
      () => true,
      () => false,
    )
  await soon("the router", isThere, patience)
  const listen = await freeAddress()
  return {
    name: "embedded",
    router,
    listen,
    ready: usersOf(listen),
    dir,
    close: async () => {
      child.kill("SIGTERM")
      await ended(child)
    },
  }
}

async function haproxy(parent: string): Promise<Driven> {
  const router = await routers.haproxy({ dir: join(parent, "haproxy") })
  const listen = await freeAddress()
  return {
    name: "haproxy",
    router,
    listen,
    ready: usersOf(listen),
    dir: undefined,
    close: async () => {
      const { pid } = await router.state()
      await router.close()
      if (pid !== undefined) process.kill(pid, "SIGKILL")
    },
  }
}

export const drivers = [embedded, haproxy]
