import type { AppView } from "../../src/api/contract/views.ts"
import type { Event } from "../../src/core/pipeline/events.ts"
import type { Database } from "./fill.ts"
import { cpuOf, type Plane, type Server, sleep, until } from "./plane.ts"
import type { Repositories } from "./repositories.ts"
import { rowsIn } from "./rows.ts"

/** Judged for minutes in production, so that all are under way at the same time. */
const pipeline = (app: string): string => `version: 1
app: ${app}
build: { command: "true" }
start: node server.js
test: node test.js
regions:
  - { name: sandbox1, listen: 8101 }
  - { name: sandbox2, listen: 8102 }
  - { name: prod3, listen: 8103, gate: button }
  - { name: prod4, listen: 8104, size: 2 }
metrics: http
`

type Stored = { readonly stream: string; readonly at: number; readonly event: Event }

/**
 * A new commit for each of the applications; each is approved as soon as it asks. How long it took from a stored event
 * to the order that follows from it, at the server: an instance that was asked for until it is started, a step until
 * its weight is set. And from a person's approval, sent, until the first instance starts.
 */
export async function roll(
  plane: Plane,
  server: Server,
  repositories: Repositories,
  apps: readonly string[],
  database: Database,
) {
  const since = Date.now()
  server.forget()
  const before = cpuOf(plane.pid)
  repositories.commit("second", Object.fromEntries(apps.map((app) => [app, pipeline(app)])))
  for (const app of apps) await plane.ask("POST", `/webhooks/${app}`, {})
  const approvedAt = new Map<string, number>()
  await until(
    "all are approved",
    async () => {
      for (const app of apps) {
        if (approvedAt.has(app)) continue
        const view = await plane.ask<AppView>("GET", `/v1/apps/${app}`)
        const waits = view.regions.find(({ active }) => active?.phase === "queued" && active.asks)?.active
        if (!waits) continue
        approvedAt.set(app, Date.now())
        await plane.ask("POST", `/v1/apps/${app}/rollouts/${waits.number}/approve`, { reason: "looks fine" })
      }
      return approvedAt.size === apps.length
    },
    900_000,
  )
  const underWay = async (): Promise<number> => {
    const views = await Promise.all(apps.map((app) => plane.ask<AppView>("GET", `/v1/apps/${app}`)))
    return views.filter(({ regions }) => regions.some(({ active }) => active)).length
  }
  await sleep(20_000)
  const inFlight = await underWay()
  const seconds = (Date.now() - since) / 1_000
  const cpu = ((cpuOf(plane.pid) - before) / seconds) * 100
  const events = (await storedSince(database, since)).filter(({ stream }) => apps.includes(stream))
  const latencies = events.flatMap(({ stream, at, event }) => {
    const arrival = server.arrivals.find((one) =>
      event.type === "instance-requested"
        ? one.verb === "start" && one.what === event.instance
        : event.type === "step-started" &&
          one.verb === "routes" &&
          one.app === stream &&
          one.at >= at &&
          one.what.includes(`r${event.rollout}=${event.weight}`),
    )
    return arrival ? [Math.max(0, arrival.at - at)] : []
  })
  const approvals = apps.flatMap((app) => {
    const approved = approvedAt.get(app) ?? Number.NaN
    const started = server.arrivals.find(
      (one) => one.verb === "start" && one.app === app && one.what.includes("prod3") && one.at >= approved,
    )
    return started ? [started.at - approved] : []
  })
  return {
    rolloutsInFlight: inFlight,
    rollingCpuPercent: Math.round(cpu),
    eventToAction: quantiles(latencies),
    approvalToStart: quantiles(approvals),
  }
}

async function storedSince(database: Database, since: number): Promise<readonly Stored[]> {
  const query = `select stream, at, body from event where at >= ${Math.floor(since)}`
  const rows = await rowsIn<{ stream: string; at: number | string; body: string }>(database, query)
  return rows.map(({ stream, at, body }) => ({ stream, at: Number(at), event: JSON.parse(body) as Event }))
}

function quantiles(values: readonly number[]) {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (q: number): number =>
    sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
  return { actions: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), mostMs: at(1) }
}
