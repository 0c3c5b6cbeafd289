import type { Readable } from "node:stream"
import type { Pace, Parts } from "../src/engine/parts.ts"
import type { Agent } from "../src/ports/agent.ts"
import type { Fence } from "../src/ports/router.ts"
import type { Cluster } from "./cluster.ts"
import type { Plane } from "./plane.ts"

/** Slower than life, so that a minute costs few turns; all proportions are kept. */
const simPace: Pace = {
  busy: 1_000,
  idle: 3_000,
  measure: 2_000,
  poll: 6_000,
  push: 10_000,
  call: 5_000,
}

/** Every port of one life of one control plane, wired to the cluster's models through its network. */
export function planeParts(cluster: Cluster, plane: Plane, life: number): Parts {
  const { store, timeline } = cluster
  const stored = <T>(verb: string, act: () => T): Promise<T> =>
    cluster.call({ plane, life, target: "store", verb, act })
  const log = (fields: Readonly<Record<string, unknown>>, message: string): void => {
    cluster.check.logged(message)
    if (plane.life === life && cluster.tracing)
      cluster.note(plane.name, `${message} ${JSON.stringify(fields)}`)
  }
  return {
    clock: {
      now: () => plane.wall(),
      mono: () => plane.mono(),
      sleep: (forMs, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) return resolve()
          let slept = false
          const wake = (): boolean =>
            plane.deliver(life, () => {
              if (slept) return false
              slept = true
              signal?.removeEventListener("abort", wake)
              resolve()
              return true
            })
          signal?.addEventListener("abort", wake)
          timeline.in(Math.max(0, forMs) / plane.rate, () => (slept ? false : wake()))
        }),
    },
    journal: {
      append: (append) =>
        stored("append", () => {
          const outcome = store.append(append)
          if (outcome.kind === "appended") cluster.check.appended(plane.name, append, outcome.stored)
          return outcome
        }).then((outcome) => {
          if (outcome.kind === "appended") cluster.check.acknowledged(outcome.stored)
          return outcome
        }),
      read: (stream, after) => stored("read", () => store.read(stream, after)),
      feed: (after, limit, stream) => stored("feed", () => store.feed(after, limit, stream)),
      streams: () => stored("streams", () => [...store.streams.keys()].sort()),
      tails: (places) =>
        stored("tails", () => places.flatMap(({ stream, version }) => store.read(stream, version))),
      end: () => stored("end", () => store.feed(0, Number.POSITIVE_INFINITY).length),
      commandResult: (id) => stored("command-result", () => store.commands.get(id)),
      outbox: (now, limit) => stored("outbox", () => store.due(now, limit)),
      outboxDone: (id) => stored("outbox-done", () => store.done(id)),
      outboxFailed: (id, _error, retryAt) => stored("outbox-failed", () => store.failed(id, retryAt)),
    },
    snapshots: {
      keep: (snapshots) => stored("keep-snapshots", () => store.keepSnapshots(snapshots)),
      read: (streams) => stored("read-snapshots", () => store.snapshotsOf(streams)),
    },
    leases: {
      acquire: (key, owner, ttl) => {
        const asked = plane.mono()
        return stored("acquire", () => {
          const before = { ...store.leases.get(key) }
          const lease = store.acquire(key, owner, ttl)
          cluster.check.acquired(key, owner, before, lease)
          return lease
        }).then((lease) => {
          if (lease) cluster.check.leased(plane.name, lease, asked)
          return lease
        })
      },
      renew: (lease, owner, ttl) => {
        const asked = plane.mono()
        return stored("renew", () => store.renew(lease, owner, ttl)).then((ours) => {
          if (ours) cluster.check.leased(plane.name, lease, asked)
          return ours
        })
      },
      take: (keys, owner) => {
        const asked = plane.mono()
        return stored("take-leases", () => {
          const before = new Map(
            keys.map((key) => {
              const row = store.leases.get(key)
              return [key, row && store.held(row) ? row.owner : undefined]
            }),
          )
          const taken = store.takeLeases(keys, owner)
          for (const lease of taken) cluster.check.taken(lease, owner, before.get(lease.key))
          return taken
        }).then((taken) => {
          for (const lease of taken) cluster.check.leased(plane.name, lease, asked)
          return taken
        })
      },
      open: (owner, own) => stored("open-leases", () => store.openLeases(owner, own)),
      release: (lease, owner) => stored("release-lease", () => store.release(lease, owner)),
    },
    evidence: {
      addInterval: (by, rollout, interval) =>
        stored("add-interval", () => {
          const outcome = store.addInterval(by, rollout, interval)
          if (outcome === "kept") cluster.check.measured(plane.name, by)
          return outcome
        }),
      intervals: (app, rollout, stage) => stored("intervals", () => store.intervals(app, rollout, stage)),
      put: (by, bundle) =>
        stored("put-evidence", () => {
          const outcome = store.put(by, bundle)
          if (outcome !== "fenced") cluster.check.measured(plane.name, by)
          return outcome
        }),
      get: (hash) => stored("get-evidence", () => store.get(hash)),
    },
    policies: { get: () => stored("policy", () => undefined), set: () => Promise.resolve() },
    orders: {
      leave: (order) => stored("leave-order", () => store.leave(order)),
      waiting: (limit) => stored("waiting-orders", () => store.waiting(limit)),
      answer: (id, answer) => stored("answer-order", () => store.answer(id, answer)),
      take: (id) => stored("take-order", () => store.take(id)),
    },
    source: {
      head: (source, signal) =>
        cluster.call({
          plane,
          life,
          target: "source",
          verb: "head",
          signal,
          act: () => cluster.source.head(source.url),
        }),
      commits: (source, since, head, limit, signal) =>
        cluster.call({
          plane,
          life,
          target: "source",
          verb: "commits",
          signal,
          act: () => cluster.source.commits(source.url, since, head, limit),
        }),
      archive: (_source, _commit, signal) =>
        cluster.call({ plane, life, target: "source", verb: "archive", signal, act: () => ({}) as Readable }),
    },
    metrics: {},
    // Nothing is configured in the simulated world.
    sealer: { seal: (text) => text, open: (sealed) => sealed },
    notifier: {
      send: (notice, signal) =>
        cluster
          .call({
            plane,
            life,
            target: "notifier",
            verb: "send",
            signal,
            act: () => cluster.notices.add(notice.id),
          })
          .then(() => undefined),
    },
    agents: new Map([[cluster.server.name, agentOf(cluster, plane, life)]]),
    readPolicy: (text) => {
      const policy = text === undefined ? undefined : cluster.policies.get(text)
      return policy ? { policy } : { problems: ["immunity.yaml is missing"] }
    },
    log: { info: log, warn: log, error: log },
    owner: plane.name,
    killed: () => cluster.killSwitch,
    room: () => cluster.noRoom,
    // The model's journal never does: who says so has misread it.
    wentBack: (error) => cluster.check.violated("I14", error.message),
    pace: simPace,
  }
}

function agentOf(cluster: Cluster, plane: Plane, life: number): Agent {
  const { server } = cluster
  const ask = <T>(verb: string, signal: AbortSignal, act: () => T): Promise<T> =>
    cluster.call({ plane, life, target: "agent", verb, signal, act })
  const order = <T>(
    verb: string,
    fence: Fence,
    what: unknown,
    signal: AbortSignal,
    act: () => T,
  ): Promise<T> => {
    if (plane.up && plane.life === life) cluster.check.sent(plane, verb, fence, what)
    const answered = ask(verb, signal, () => {
      cluster.check.arriving(verb, fence, what)
      const answer = act()
      cluster.check.arrived(verb, fence, what, answer)
      return answer
    })
    if (verb !== "routes") return answered
    return answered.then(
      (answer) => {
        cluster.check.acknowledgedTable(fence, what)
        return answer
      },
      (error: unknown) => {
        cluster.check.unknown(plane, fence)
        throw error
      },
    )
  }
  return {
    server: server.name,
    fence: (app, epoch, signal) => ask("fence", signal, () => server.fence(app, epoch)),
    observe: (apps, signal) =>
      ask("observe", signal, () => server.observe(apps)).then((observed) => {
        cluster.check.observed(plane.name, apps, observed)
        return observed
      }),
    news: (since, signal) => ask("news", signal, () => server.news(since)),
    putSource: (fence, _commit, _tar, signal) =>
      order("put-source", fence, undefined, signal, () => server.putSource(fence)),
    // Without a call: it takes no time and no fault, so that worlds stay as they were before it was there.
    keepArtifacts: (fence, keep) =>
      plane.up && plane.life === life && !cluster.cut.has(`${plane.name}>agent`)
        ? Promise.resolve(server.keepArtifacts(fence, keep))
        : Promise.reject(new Error("agent: no answer")),
    runJob: (fence, job, _url, signal) =>
      order("run-job", fence, job, signal, () => server.runJob(fence, job)),
    startInstance: (fence, spec, signal) =>
      order("start", fence, spec, signal, () => server.startInstance(fence, spec)),
    stopInstance: (fence, id, _grace, signal) =>
      order("stop", fence, id, signal, () => server.stopInstance(fence, id)),
    setRoutes: (fence, routes, signal) =>
      order("routes", fence, routes, signal, () => server.setRoutes(fence, routes)),
    releaseInstance: (fence, id, drain, signal) =>
      order("release", fence, id, signal, () => server.releaseInstance(fence, id, drain)),
    counters: (_apps, signal) => ask("counters", signal, () => server.counters()),
    log: () => Promise.resolve(undefined),
  }
}
