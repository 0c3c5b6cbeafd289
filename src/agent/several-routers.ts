import type { RouteSpec } from "../core/pipeline/effects.ts"
import type { HeldRouter, Router } from "../ports/router.ts"

/** A router that this server may have. */
export type RouterKind = {
  /** Starts it, or takes over the one that runs. */
  readonly open: () => Promise<HeldRouter>
  /** It served here before: it is taken over at once, not only when the next route asks for it. */
  readonly wasUsed: boolean
}

export type SeveralRouters = HeldRouter & {
  /** Process ids of those that run. */
  readonly pids: () => Promise<readonly number[]>
}

/**
 * The routers of one server as one: each route goes to the one it names, those that name none to `usual`. One that
 * no route names is not even started.
 */
export async function severalRouters(
  usual: string,
  kinds: Readonly<Record<string, RouterKind>>,
): Promise<SeveralRouters> {
  const open = new Map<string, HeldRouter>()
  const opening = new Map<string, Promise<HeldRouter>>()
  const problems = new Map<string, string>()

  const held = (name: string, kind: RouterKind): Promise<HeldRouter> => {
    const known = opening.get(name)
    if (known) return known
    const fresh = kind.open()
    opening.set(name, fresh)
    fresh.then(
      (router) => {
        open.set(name, router)
        problems.delete(name)
      },
      (error: unknown) => {
        opening.delete(name)
        problems.set(name, `${name}: ${error instanceof Error ? error.message : String(error)}`)
      },
    )
    return fresh
  }

  const first = kinds[usual]
  if (!first) throw new Error(`there is no router called ${usual}`)
  const main = await held(usual, first)
  // Not waited for: an agent whose second router does not start can still be asked why.
  for (const [name, kind] of Object.entries(kinds))
    if (kind.wasUsed) void held(name, kind).catch(() => undefined)

  const states = (signal: AbortSignal) =>
    Promise.all(
      [...open].map(async ([name, router]) => ({ name, router, state: await router.state(signal) })),
    )

  /** Who has routes of an application, or shall have some; who gives an address away comes before who takes it. */
  const shares = async (
    app: string,
    groups: ReadonlyMap<string, readonly RouteSpec[]>,
    signal: AbortSignal,
  ) => {
    const seen = await states(signal)
    const names = new Set([
      ...groups.keys(),
      ...seen.flatMap(({ name, state }) => (state.apps[app]?.routes.length ? [name] : [])),
    ])
    const loses = (name: string): boolean => {
      const kept = new Set((groups.get(name) ?? []).map((route) => route.route))
      const now = seen.find((one) => one.name === name)?.state.apps[app]?.routes ?? []
      return now.some((route) => !kept.has(route.route))
    }
    return [...names].sort((a, b) => Number(loses(b)) - Number(loses(a)))
  }

  return {
    can: main.can,
    async fence(app, epoch, signal) {
      for (const router of open.values()) {
        const answer = await router.fence(app, epoch, signal)
        if (answer.kind === "refused") return answer
      }
      return { kind: "applied" }
    },
    async setRoutes(fence, routes, signal) {
      const groups = Map.groupBy(routes, (route) => route.router ?? usual)
      for (const name of groups.keys()) {
        const kind = kinds[name]
        if (!kind) return invalid(`there is no router "${name}"; there are ${Object.keys(kinds).join(", ")}`)
        try {
          await held(name, kind)
        } catch (error) {
          return invalid(error instanceof Error ? error.message : String(error))
        }
      }
      if (open.size === 1) return main.setRoutes(fence, routes, signal)
      for (const name of await shares(fence.app, groups, signal)) {
        const answer = await open.get(name)?.setRoutes(fence, groups.get(name) ?? [], signal)
        if (answer?.kind === "refused") return answer
      }
      return { kind: "applied" }
    },
    async release(fence, instance, drain, signal) {
      for (const router of open.values()) {
        const answer = await router.release(fence, instance, drain, signal)
        if (answer.kind === "busy") return answer
      }
      return { kind: "released" }
    },
    async state(signal) {
      const all = (await states(signal)).map(({ state }) => state)
      const [some, ...others] = all
      if (!some) throw new Error("there is no router")
      const said = [...all.map((state) => state.degraded), ...problems.values()].filter(
        (one) => one !== undefined,
      )
      return {
        pid: some.pid,
        apps: all.map((state) => state.apps).reduce(together),
        listeners: Object.assign({}, ...all.map((state) => state.listeners)),
        inFlight: all.map((state) => state.inFlight).reduce(sums),
        refusing: all.flatMap((state) => state.refusing ?? []),
        // Released is what none of them will ever send a user to again.
        released: some.released.filter((id) => others.every((state) => state.released.includes(id))),
        degraded: said.length > 0 ? said.join("; ") : undefined,
      }
    },
    async counters(signal) {
      const all = await Promise.all([...open.values()].map((router) => router.counters(signal)))
      return {
        boot: all.map(({ boot }) => boot).join("+"),
        at: Math.max(...all.map(({ at }) => at)),
        routes: Object.assign({}, ...all.map(({ routes }) => routes)),
      }
    },
    async close() {
      await Promise.allSettled([...opening.values()].map(async (router) => (await router).close()))
    },
    async pids() {
      // One that is being taken over at this moment runs as well, and on a busy machine an answer may take its time.
      const signal = AbortSignal.timeout(10_000)
      const late = new Promise<undefined>((resolve) =>
        signal.addEventListener("abort", () => resolve(undefined)),
      )
      const found = await Promise.all(
        [...opening.values()].map((router) =>
          Promise.race([late, router.then((opened) => opened.state(signal)).catch(() => undefined)]),
        ),
      )
      return found.flatMap((state) => (state?.pid === undefined ? [] : [state.pid]))
    },
  }
}

type Apps = Awaited<ReturnType<Router["state"]>>["apps"]

/** Routes of an application that lie with several, under the newest order that any of them has followed. */
function together(a: Apps, b: Apps): Apps {
  const both: Record<string, Apps[string]> = { ...a }
  for (const [app, theirs] of Object.entries(b)) {
    const ours = a[app]
    if (!ours) both[app] = theirs
    else {
      const isNewer = theirs.epoch - ours.epoch || theirs.generation - ours.generation
      both[app] = { ...(isNewer > 0 ? theirs : ours), routes: [...ours.routes, ...theirs.routes] }
    }
  }
  return both
}

function sums(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): Record<string, number> {
  const all: Record<string, number> = { ...a }
  for (const [id, count] of Object.entries(b)) all[id] = (all[id] ?? 0) + count
  return all
}

const invalid = (because: string) => ({ kind: "refused", code: "invalid", because }) as const
