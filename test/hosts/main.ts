import { parseArgs } from "node:util"
import { Hosts } from "./network.ts"
import { Site } from "./site.ts"
import { Users } from "./users.ts"

/**
 * A region over three hosts in network namespaces, rollouts over them under load. In the middle of one a host is cut
 * off and comes back; the next one must spread over all of them again; in the middle of a third a host is still
 * heard by nobody, though it hears everything. Ends with one JSON object; not ok ends with 1. Where namespaces cannot
 * be made it says so loudly, and the JSON says `skipped`.
 *
 *   node test/hosts/main.ts [--compute process|docker]     docker: an engine on each host, and no registry
 */
const size = 6
const perSecond = 100
const cutFor = 25_000
const mostSecondsToConverge = 60

const { values: given } = parseArgs({ options: { compute: { type: "string", default: "process" } } })

const tell = (line: string): void =>
  void process.stderr.write(`${new Date().toISOString().slice(11, 19)}  ${line}\n`)
const tenths = (ms: number): number => Math.round(ms / 100) / 10

const impossible = Hosts.impossible()
if (impossible !== undefined) {
  process.stderr.write(`\n  SKIPPED: test:hosts proved nothing here. ${impossible}\n\n`)
  process.stdout.write(`${JSON.stringify({ skipped: impossible })}\n`)
} else process.exitCode = (await story()) ? 0 : 1

type Cut = {
  readonly cutSeconds: number
  readonly convergedSeconds: number
  readonly slowestMs: number
  readonly slowerThan1s: number
  /** The last request that still had to wait for the router to see that the host is gone. */
  readonly ejectedSeconds: number
}

async function story(): Promise<boolean> {
  const hosts = Hosts.up(3)
  const site = new Site(hosts, size, given.compute === "docker")
  const ending = new AbortController()
  let users: Users | undefined
  let ok = false
  let found: object = { ok }
  try {
    await site.open()
    tell(`three servers have joined; their things are in ${site.dir}`)
    site.commit("first", 5)
    await site.ask("POST", "/v1/apps", { url: `${site.dir}/repository`, app: "shop" })
    await succeeded(site, 1)
    tell(`the first release runs: ${JSON.stringify(await onEach(site))}`)
    users = new Users(site.listen, perSecond)
    const counted = count(site, ending.signal)
    const silent = await cutDuring(site, users, 2, {
      what: "b is cut off",
      cut: () => hosts.partition(1),
      heal: () => hosts.heal(1),
    })
    site.commit("third", 5)
    await succeeded(site, 3)
    const spread = await spreadOf(site, 3)
    tell(`the release after its return is spread: ${JSON.stringify(spread)}`)
    const oneWay = await cutDuring(site, users, 4, {
      what: "c hears everything and is heard by nobody",
      cut: () => hosts.mute(2),
      heal: () => hosts.unmute(2),
    })
    await users.stop()
    ending.abort()
    const most = await counted
    const failed = users.seen.filter(({ failure }) => failure !== undefined)
    // A pool has one server's share beside it while that server is unknown. What serves, what is kept, what comes.
    const limit = { ofOnePool: size + Math.ceil(size / 3), pools: 3 }
    ok =
      failed.length === 0 &&
      most.ofOnePool <= limit.ofOnePool &&
      most.pools <= limit.pools &&
      Math.max(silent.convergedSeconds, oneWay.convergedSeconds) <= mostSecondsToConverge &&
      site.servers.every((server) => spread[server] === size / 3)
    const began = users.seen[0]?.at ?? 0
    for (const { at, ms, failure } of failed.slice(0, 10))
      tell(`failed ${tenths(at - began)} s after the first request, after ${Math.round(ms)} ms: ${failure}`)
    const result = {
      hosts: 3,
      compute: given.compute,
      requests: users.seen.length,
      failed: failed.length,
      most,
      limit,
      spreadAfterReturn: spread,
      cut: silent,
      oneWay,
      ok,
    }
    found = result
  } catch (error) {
    tell(error instanceof Error ? error.message : String(error))
    tell(JSON.stringify(await site.ask("GET", "/v1/servers").catch(() => undefined)))
    tell(JSON.stringify(await site.instances().catch(() => undefined)))
    found = { ok: false, error: String(error) }
  } finally {
    ending.abort()
    await users?.stop()
    const left = await close(site, hosts, !ok)
    for (const name of left) tell(`left behind, and ended now: ${name}`)
    ok &&= left.length === 0
    process.stdout.write(`${JSON.stringify({ ...found, ok, leftovers: left.length })}\n`)
  }
  return ok
}

/** A rollout in the middle of which a host is lost, until all is as wanted after its return. */
async function cutDuring(
  site: Site,
  users: Users,
  number: number,
  order: { readonly what: string; readonly cut: () => void; readonly heal: () => void },
): Promise<Cut> {
  site.commit(`number ${number}`, 5 + (number % 2))
  const rolling = async () => (await site.app()).rollouts.find((known) => known.number === number)
  await site.until(
    `rollout ${number} to meet users`,
    async () => ((await rolling())?.weight ?? 0) > 0 || undefined,
  )
  order.cut()
  const cutAt = Date.now()
  tell(`${order.what}, in the middle of rollout ${number}`)
  await new Promise((resolve) => setTimeout(resolve, cutFor))
  tell(`it comes back; meanwhile: ${(await rolling())?.sentence}`)
  order.heal()
  const healedAt = Date.now()
  const seconds = tenths((await converged(site, number)) - healedAt)
  tell(`as wanted again ${seconds} s after healing: ${JSON.stringify(await onEach(site))}`)
  const during = users.seen.filter(({ at }) => at >= cutAt - 1_000 && at < healedAt)
  const slow = during.filter(({ ms }) => ms > 1_000)
  return {
    cutSeconds: cutFor / 1_000,
    convergedSeconds: seconds,
    slowestMs: Math.round(Math.max(...during.map(({ ms }) => ms))),
    slowerThan1s: slow.length,
    ejectedSeconds: Math.max(0, tenths(Math.max(cutAt, ...slow.map(({ at }) => at)) - cutAt)),
  }
}

/** How many instances of a rollout each server has. */
async function spreadOf(site: Site, number: number): Promise<Readonly<Record<string, number>>> {
  const mine = (await site.instances()).filter(({ rollout, leaving }) => rollout === number && !leaving)
  const on = (server: string) => mine.filter((instance) => instance.server === server).length
  return Object.fromEntries(site.servers.map((server) => [server, on(server)]))
}

async function close(site: Site, hosts: Hosts, keep: boolean): Promise<readonly string[]> {
  const left = await site.close(keep)
  hosts.down()
  if (keep) tell(`what is left for you to look at: ${site.dir}`)
  return left
}

function succeeded(site: Site, number: number): Promise<true> {
  return site.until(`rollout ${number} to succeed`, async () => {
    const rollout = (await site.app()).rollouts.find((known) => known.number === number)
    return rollout?.phase === "succeeded" || undefined
  })
}

type Most = { readonly instances: number; readonly pools: number; readonly ofOnePool: number }

/**
 * What really ran at one moment at the most, on all hosts together, also on one that nobody reaches. The last part but
 * one of an instance's name is the rollout that it belongs to.
 */
async function count(site: Site, signal: AbortSignal): Promise<Most> {
  let most: Most = { instances: 0, pools: 0, ofOnePool: 0 }
  while (!signal.aborted) {
    const running = (
      await Promise.all(site.servers.map((server) => site.running(server).catch(() => [])))
    ).flat()
    const pools = Map.groupBy(running, (id) => id.split("-").at(-2))
    most = {
      instances: Math.max(most.instances, running.length),
      pools: Math.max(most.pools, pools.size),
      ofOnePool: Math.max(most.ofOnePool, ...[...pools.values()].map(({ length }) => length)),
    }
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
async function converged(site: Site, number: number): Promise<number> {
  return site.until("all to be as wanted after healing", async () => {
    const [known, app] = [await site.instances(), await site.app()]
    const running = (await Promise.all(site.servers.map((server) => site.running(server)))).flat().sort()
    const pools = Map.groupBy(known, ({ rollout }) => rollout)
    const whole = [...pools.values()].every(
      (pool) => pool.length === size && pool.every(({ state, leaving }) => state === "ready" && !leaving),
    )
    const same = JSON.stringify(running) === JSON.stringify(known.map(({ id }) => id).sort())
    const over = app.rollouts.find((known) => known.number === number)?.phase === "succeeded"
    return whole && same && over ? Date.now() : undefined
  })
}
