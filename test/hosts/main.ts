import { Hosts } from "./network.ts"
import { Site } from "./site.ts"
import { Users } from "./users.ts"

/**
 * A region over three hosts in network namespaces, a rollout over them under load, and in the middle of it one host
 * is cut off and comes back. Ends with one JSON object; not ok ends with 1. Where namespaces cannot be made it says
 * so loudly, and the JSON says `skipped`.
 */
const size = 6
const perSecond = 100
const cutFor = 25_000
const mostSecondsToConverge = 60

const tell = (line: string): void =>
  void process.stderr.write(`${new Date().toISOString().slice(11, 19)}  ${line}\n`)

const impossible = Hosts.impossible()
if (impossible !== undefined) {
  process.stderr.write(`\n  SKIPPED: test:hosts proved nothing here. ${impossible}\n\n`)
  process.stdout.write(`${JSON.stringify({ skipped: impossible })}\n`)
} else process.exitCode = (await story()) ? 0 : 1

async function story(): Promise<boolean> {
  const hosts = Hosts.up(3)
  const site = new Site(hosts, size)
  const ending = new AbortController()
  let users: Users | undefined
  const interrupted = () => void close(site, hosts, true).then(() => process.exit(130))
  process.once("SIGINT", interrupted)
  process.once("SIGTERM", interrupted)
  let ok = false
  try {
    await site.open()
    tell(`three servers have joined; their things are in ${site.dir}`)
    site.commit("first", 5)
    await site.ask("POST", "/v1/apps", { url: `${site.dir}/repository`, app: "shop" })
    await succeeded(site, 1)
    const spread = await onEach(site)
    tell(`the first release runs: ${JSON.stringify(spread)}`)
    users = new Users(site.listen, perSecond)
    const counted = count(site, ending.signal)
    site.commit("second", 6)
    await site.until("the second release to meet users", async () => {
      const rollout = (await site.app()).rollouts.find(({ number }) => number === 2)
      return (rollout && (rollout.weight ?? 0) > 0) || undefined
    })
    hosts.partition(1)
    const cutAt = Date.now()
    tell("b is cut off, in the middle of the rollout")
    await new Promise((resolve) => setTimeout(resolve, cutFor))
    const during = (await site.app()).rollouts.find(({ number }) => number === 2)?.sentence
    tell(`b comes back; meanwhile: ${during}`)
    hosts.heal(1)
    const healedAt = Date.now()
    const convergedAt = await converged(site)
    const seconds = Math.round((convergedAt - healedAt) / 100) / 10
    tell(`as wanted again ${seconds} s after healing: ${JSON.stringify(await onEach(site))}`)
    await users.stop()
    ending.abort()
    const most = await counted
    const failed = users.seen.filter(({ failure }) => failure !== undefined)
    const cut = users.seen.filter(({ at }) => at >= cutAt - 1_000 && at < healedAt)
    const slow = cut.filter(({ ms }) => ms > 1_000)
    // Two pools, each with one server's share beside it while that server is unknown.
    const limit = 2 * (size + Math.ceil(size / 3))
    const rollout = (await site.app()).rollouts.find(({ number }) => number === 2)
    ok =
      failed.length === 0 &&
      most <= limit &&
      seconds <= mostSecondsToConverge &&
      rollout?.phase === "succeeded"
    for (const { at, ms, failure } of failed.slice(0, 10))
      tell(`failed ${at - cutAt} ms after the cut, after ${Math.round(ms)} ms: ${failure}`)
    const result = {
      hosts: 3,
      requests: users.seen.length,
      failed: failed.length,
      slowestMs: Math.round(Math.max(...users.seen.map(({ ms }) => ms))),
      slowerThan1s: slow.length,
      // The last request that still had to wait for the router to see that b is gone.
      ejectedSeconds: Math.max(
        0,
        Math.round((Math.max(cutAt, ...slow.map(({ at }) => at)) - cutAt) / 100) / 10,
      ),
      mostInstances: most,
      limit,
      cutSeconds: cutFor / 1_000,
      convergedSeconds: seconds,
      rollout: rollout?.phase,
      ok,
    }
    process.stdout.write(`${JSON.stringify(result)}\n`)
  } catch (error) {
    tell(error instanceof Error ? error.message : String(error))
    tell(JSON.stringify(await site.ask("GET", "/v1/servers").catch(() => undefined)))
    tell(JSON.stringify(await site.instances().catch(() => undefined)))
    process.stdout.write(`${JSON.stringify({ ok: false, error: String(error) })}\n`)
  } finally {
    ending.abort()
    await users?.stop()
    await close(site, hosts, !ok)
  }
  return ok
}

async function close(site: Site, hosts: Hosts, keep: boolean): Promise<void> {
  await site.close(keep)
  hosts.down()
  if (keep) tell(`what is left for you to look at: ${site.dir}`)
}

function succeeded(site: Site, number: number): Promise<true> {
  return site.until(`rollout ${number} to succeed`, async () => {
    const rollout = (await site.app()).rollouts.find((known) => known.number === number)
    return rollout?.phase === "succeeded" || undefined
  })
}

/** The most instances that really ran at a moment, on all hosts together, also on the one that nobody reaches. */
async function count(site: Site, signal: AbortSignal): Promise<number> {
  let most = 0
  while (!signal.aborted) {
    const running = await Promise.all(site.servers.map((server) => site.running(server).catch(() => [])))
    most = Math.max(most, running.flat().length)
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  return most
}

async function onEach(site: Site): Promise<Readonly<Record<string, number>>> {
  const running = await Promise.all(site.servers.map((server) => site.running(server)))
  return Object.fromEntries(site.servers.map((server, at) => [server, running[at]?.length ?? 0]))
}

/**
 * Every pool has its size, all ready; the hosts run exactly what the control plane knows, nothing else and nothing
 * less; the rollout has ended.
 */
async function converged(site: Site): Promise<number> {
  return site.until("all to be as wanted after healing", async () => {
    const [known, app] = [await site.instances(), await site.app()]
    const running = (await Promise.all(site.servers.map((server) => site.running(server)))).flat().sort()
    const pools = Map.groupBy(known, ({ rollout }) => rollout)
    const whole = [...pools.values()].every(
      (pool) => pool.length === size && pool.every(({ state, leaving }) => state === "ready" && !leaving),
    )
    const same = JSON.stringify(running) === JSON.stringify(known.map(({ id }) => id).sort())
    const over = app.rollouts.find(({ number }) => number === 2)?.phase === "succeeded"
    return whole && same && over ? Date.now() : undefined
  })
}
