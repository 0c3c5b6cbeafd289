import { writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { pages } from "../../web/pages.tsx"
import { connectAgent } from "../agent/client.ts"
import { socketPath } from "../agent/server.ts"
import { supervise } from "../agent/supervise.ts"
import { pushToken } from "../api/access.ts"
import { createApi } from "../api/server.ts"
import { exit, Stop } from "../cli/client.ts"
import { pinsProblem, readPolicy } from "../config/read-policy.ts"
import { createEngine } from "../engine/engine.ts"
import { defaultPace, type Pace } from "../engine/parts.ts"
import type { Agent } from "../ports/agent.ts"
import { systemClock } from "../providers/clock/system.ts"
import { metricsSources, pushMetrics } from "../providers/metrics/index.ts"
import { notifiers } from "../providers/notify/index.ts"
import { aesSealer } from "../providers/sealer/index.ts"
import { sources } from "../providers/source/index.ts"
import { openSharedStore, openStore } from "../store/store.ts"
import { type ComputeChoice, computeFlags } from "./compute-choice.ts"
import { failpoints } from "./failpoints.ts"
import { foldCode } from "./fold-code.ts"
import { foldersIn, ownArgv, secretsKeyIn, tokenIn, webhookSecretIn } from "./folders.ts"
import { collectSeldom } from "./garbage.ts"
import { keepHouse } from "./housekeeping.ts"
import { watchKillSwitch } from "./kill-switch.ts"
import { tellOfOwnMachine } from "./own-machine.ts"
import { openServers } from "./servers.ts"
import { telemetry } from "./telemetry.ts"
import { program } from "./version.ts"

export type ServeOptions = {
  readonly dir: string
  /** `postgres://…`, shared by several control planes; by default a file in `dir` for this one alone. */
  readonly db?: string | undefined
  /** Where the agent of this machine and its router keep their things, when control planes share them. */
  readonly agentDir?: string | undefined
  /** The token of a group of control planes; by default one of its own in `dir`. */
  readonly tokenFile?: string | undefined
  /** What secrets in configurations are sealed with; by default one of its own in `dir`. */
  readonly secretsKeyFile?: string | undefined
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** How instances run on this machine; by default as plain processes. */
  readonly compute?: ComputeChoice
  /** The most instances that may run on this machine. */
  readonly mostInstances?: number | undefined
  /** `host:port` where other servers join. */
  readonly agents?: string | undefined
  readonly pace?: Partial<Pace>
  readonly quiet?: boolean
}

export type Served = { readonly url: string; readonly token: string; readonly stop: () => Promise<void> }

/** Starts the control plane; the agent and its router are processes of their own and outlive it. */
export async function serve(options: ServeOptions): Promise<Served> {
  if (!["127.0.0.1", "::1", "localhost"].includes(options.host)) {
    throw new Stop(
      78,
      `--host ${options.host}: only loopback is served without TLS; put a proxy with TLS in front of it`,
    )
  }
  if (options.db !== undefined && !/^postgres(ql)?:\/\//.test(options.db))
    throw new Stop(
      exit.usage,
      "--db, or IMMUNITY_DB, is no address of a database: it begins with postgres://",
    )
  const folders = foldersIn(options.dir, options)
  const token = tokenIn(folders)
  const webhookSecret = webhookSecretIn(folders)
  writeFileSync(folders.pushToken, `${pushToken(token)}\n`, { mode: 0o600 })
  const clock = systemClock
  const log = pino(
    { level: options.quiet ? "error" : "info" },
    pino.destination({ dest: join(folders.root, "serve.log"), sync: true, mkdir: true }),
  )
  const points = failpoints()
  const onPersisted = points?.onPersisted
  const store =
    options.db === undefined
      ? await openStore({ path: folders.store, clock, onPersisted, foldCode: foldCode() })
      : await openSharedStore({
          url: options.db,
          holder: folders.store,
          clock,
          onPersisted,
          foldCode: foldCode(),
        })
  const ending = new AbortController()
  /** At once: whatever this process still did would rest on what is not so. */
  const end = (error: Error): void => {
    log.fatal({}, error.message)
    process.stderr.write(`immunity: ${error.message}\n`)
    process.exit(exit.broken)
  }
  const house = keepHouse(store, clock, log, ending.signal, end)
  const killFile = join(folders.root, "kill-switch")
  const killSwitch = await watchKillSwitch(store.killSwitch, killFile, clock, log, ending.signal)
  const agentSocket = socketPath(folders.agent)
  const agentArgv = ownArgv(
    ...["agent", "--dir", folders.agent, "--router-dir", folders.router],
    ...computeFlags(options.compute),
    ...(options.mostInstances === undefined ? [] : ["--most-instances", String(options.mostInstances)]),
  )
  const agent = connectAgent({ server: "local", socketPath: agentSocket })
  const agents = new Map<string, Agent>([["local", points?.around(agent) ?? agent]])
  const servers = await openServers({
    folder: folders.servers,
    listen: options.agents,
    clock,
    log,
    agents,
  }).catch(async (error: NodeJS.ErrnoException) => {
    ending.abort()
    await Promise.all([house.finished, killSwitch.finished])
    await store.close()
    const taken = error.code === "EADDRINUSE" || error.code === "EADDRNOTAVAIL"
    throw taken
      ? new Stop(
          exit.broken,
          `--agents ${options.agents}: ${error.message}; choose an address of this machine that is free`,
        )
      : error
  })
  const push = pushMetrics()
  const source = sources.git({ dir: folders.git })
  const sealer = aesSealer({ whose: folders.secretsKey, key: () => secretsKeyIn(folders) })
  const engine = createEngine({
    clock,
    journal: store.journal,
    leases: store.leases,
    evidence: store.evidence,
    policies: store.policies,
    orders: store.orders,
    snapshots: store.snapshots,
    source,
    metrics: metricsSources(push.source),
    notifier: notifiers.webhook({ secret: () => webhookSecret }),
    sealer,
    agents,
    drained: (server) => servers.fleet.drained(server)?.because,
    readPolicy: (text, pins, app, now) => policyFor(text, pins, app, now),
    log,
    // The same over restarts, so that a control plane takes its own leases back at once.
    owner: `${hostname()}:${folders.root}`,
    killed: () => killSwitch.because().length > 0,
    room: house.room,
    wentBack: end,
    pace: { ...defaultPace, ...options.pace },
  })
  const own = telemetry(engine, clock)
  const started = Promise.withResolvers<void>()
  const api = await createApi({
    ready: started.promise,
    engine,
    journal: store.journal,
    evidence: store.evidence,
    policies: store.policies,
    agents,
    fleet: servers.fleet,
    clock,
    program: program(),
    token,
    inbox: push.inbox,
    sealer,
    checkPins: pinsProblem,
    pages,
    killSwitch,
    metrics: own.text,
    health: async () => {
      const health = await store.health()
      return { ok: health.damage === undefined, detail: health.damage?.because ?? "the store answers" }
    },
    log,
  })
  await api.listen({ host: options.host, port: options.port }).catch(async (error: NodeJS.ErrnoException) => {
    ending.abort()
    await servers.close()
    await Promise.all([house.finished, killSwitch.finished])
    await store.close()
    if (error.code !== "EADDRINUSE") throw error
    throw new Stop(
      exit.broken,
      `port ${options.port} is taken on ${options.host}; stop what uses it, or choose another with --port`,
    )
  })
  // Only now: a control plane that is refused must leave nothing behind.
  const watching = supervise(
    { name: "agent", socket: agentSocket, argv: agentArgv, logDir: folders.root },
    clock,
    ending.signal,
  )
  const hindered = (sentence: string): void => {
    log.warn({ part: "own machine" }, sentence)
    if (!options.quiet) process.stderr.write(`immunity: ${sentence}\n`)
  }
  void tellOfOwnMachine(agent, clock, hindered, ending.signal)
  await engine.start()
  started.resolve()
  collectSeldom()
  const address = api.server.address()
  const port = typeof address === "object" && address ? address.port : options.port
  return {
    url: `http://${options.host}:${port}`,
    token,
    async stop() {
      ending.abort()
      await engine.stop()
      await api.close()
      await watching
      await servers.close()
      await Promise.all([house.finished, killSwitch.finished])
      await store.close()
    },
  }
}

function policyFor(
  text: string | undefined,
  pins: string | undefined,
  app: string,
  now: number,
): ReturnType<Parameters<typeof createEngine>[0]["readPolicy"]> {
  if (text === undefined)
    return { problems: ["there is no immunity.yaml at this commit; write one with: immunity init"] }
  const read = readPolicy(text, { file: "immunity.yaml", pins, now })
  if ("problems" in read) {
    return {
      problems: read.problems
        .filter((problem) => problem.severity === "error")
        .map(
          (problem) => `${problem.file}:${problem.line}:${problem.column} ${problem.code} ${problem.message}`,
        ),
    }
  }
  if (read.policy.app !== app) {
    return {
      problems: [
        `immunity.yaml says app: ${read.policy.app}, and this application is called ${app}; say app: ${app} there, or add the repository once more as ${read.policy.app} (immunity app add URL --name ${read.policy.app})`,
      ],
      meantFor: read.policy.app,
    }
  }
  return { policy: read.policy }
}
