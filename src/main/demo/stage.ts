import { chmodSync, rmSync } from "node:fs"
import { join } from "node:path"
import { shutdownAgent } from "../../agent/client.ts"
import { socketPath } from "../../agent/server.ts"
import type { AppView, InstanceView, RolloutView, TimelineEntry } from "../../api/contract/views.ts"
import { passable } from "../folders.ts"
import { type Served, serve } from "../serve.ts"
import { freePorts } from "./free-ports.ts"
import type { Ground } from "./ground.ts"
import { closedFirst, kill } from "./interrupted.ts"
import { leftovers, openFolders, processesOf, temporaryFolder } from "./leftovers.ts"
import { type DemoStrategy, Repository } from "./repository.ts"
import { Traffic } from "./traffic.ts"

const patience = 240_000

/** Everything that a demo needs, for real, in one temporary folder: repository, control plane, agent, router, users. */
export class Stage {
  readonly dir: string
  readonly repository: Repository
  readonly served: Served
  readonly traffic = new Traffic()
  readonly ports: readonly number[]
  readonly #ground: Ground
  #closing: Promise<readonly string[]> | undefined
  #isInterrupted = false

  private constructor(
    dir: string,
    repository: Repository,
    served: Served,
    ports: readonly number[],
    ground: Ground,
  ) {
    this.dir = dir
    this.#ground = ground
    this.repository = repository
    this.served = served
    this.ports = ports
  }

  static open(port: number, router: string, ground: Ground, strategy: DemoStrategy): Promise<Stage> {
    const opened = Stage.#open(port, router, ground, strategy)
    closedFirst(async () => {
      const stage = await opened
      stage.#isInterrupted = true
      await stage.close()
    })
    return opened
  }

  static async #open(port: number, router: string, ground: Ground, strategy: DemoStrategy): Promise<Stage> {
    const dir = temporaryFolder("immunity-demo")
    chmodSync(dir, passable())
    const ports = await freePorts(4)
    const repository = new Repository(join(dir, "repository"), ports, router, ground.base, strategy)
    const served = await serve({
      dir: join(dir, "server"),
      host: "127.0.0.1",
      port,
      quiet: true,
      compute: ground.compute,
      pace: { poll: 500, measure: 500 },
    })
    return new Stage(dir, repository, served, ports, ground)
  }

  address(region: "prod3" | "prod4"): string {
    return `127.0.0.1:${region === "prod3" ? this.ports[2] : this.ports[3]}`
  }

  app(): Promise<AppView> {
    return this.#ask("GET", "/v1/apps/papi")
  }

  rollout(number: number): Promise<RolloutView> {
    return this.#ask("GET", `/v1/apps/papi/rollouts/${number}`)
  }

  timeline(): Promise<readonly TimelineEntry[]> {
    return this.#ask("GET", "/v1/apps/papi/timeline?limit=1000")
  }

  instances(): Promise<readonly InstanceView[]> {
    return this.#ask("GET", "/v1/apps/papi/servers")
  }

  /** The application's folder of an instance, for somebody who would edit it. */
  filesOf(instance: string): Promise<string> {
    return this.#ground.filesOf(join(this.dir, "server"), instance)
  }

  order(path: string, body: unknown): Promise<unknown> {
    return this.#ask("POST", path, body)
  }

  /** Looks again and again until it finds what it waits for; says what it waited for when it never comes. */
  async until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
    const deadline = performance.now() + patience
    while (performance.now() < deadline) {
      const found = await look()
      if (found !== undefined) return found
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    const app = await this.app().catch(() => undefined)
    throw new Error(
      `waited ${patience / 1_000} s for ${what}; now: ${app?.sentence ?? "no answer"} ${JSON.stringify(app?.problems ?? [])}`,
    )
  }

  /** It is being closed because somebody interrupted: the program ends when that is done, whatever fails meanwhile. */
  get isInterrupted(): boolean {
    return this.#isInterrupted
  }

  /** Takes everything down, once, and tells what is left of it; nothing should be. */
  close(): Promise<readonly string[]> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<readonly string[]> {
    await this.traffic.stop()
    await shutdownAgent(socketPath(join(this.dir, "server", "agent")), AbortSignal.timeout(20_000)).catch(
      () => undefined,
    )
    await this.served.stop()
    for (let tries = 0; processesOf(this.dir).length > 0 && tries < 100; tries++) {
      if (tries > 60) for (const { pid } of processesOf(this.dir)) kill(pid)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    const left = (await leftovers(this.dir, this.ports)).filter((name) => name !== this.dir)
    openFolders(this.dir)
    rmSync(this.dir, { recursive: true, force: true })
    return [...left, ...(await leftovers(this.dir, [])), ...(await this.#ground.close())]
  }

  async #ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(`${this.served.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.served.token}`,
        "content-type": "application/json",
        "x-immunity-actor": "Mira",
      },
      body: body === undefined ? null : JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${await answer.text()}`)
    return (await answer.json()) as T
  }
}
