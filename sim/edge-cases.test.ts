import { describe, expect, it } from "vitest"
import { isGone } from "../src/core/pipeline/remove.ts"
import type { Cluster } from "./cluster.ts"
import { at, haltProduction, secondAt, tell, world } from "./edge-cases.ts"
import type { Fired } from "./faults.ts"
import { submit } from "./operators.ts"
import type { Happening, ReleasePlan } from "./scenario.ts"

const fault = (site: string, count: number, kind: Fired["kind"], forMs = 3_000): Fired => ({
  site,
  count,
  kind,
  forMs,
})

describe("a control plane in trouble", () => {
  it("E27: an order whose answer is lost is given again with its id and takes effect once", async () => {
    const lost = [fault("plane1>store.append", 1, "lost-ack")]
    const { violations, happened } = await tell(world("good"), lost)
    expect(violations).toEqual([])
    expect(happened("app-added")).toBe(1)
  })

  it("E33: a halt that was stored is obeyed by whoever comes next, also when its taker dies at once", async () => {
    const told = await tell(world("good"), [], (cluster) => {
      at(cluster, secondAt + 10_000, () => haltProduction(cluster, "halt-1"))
      at(cluster, secondAt + 10_200, () => cluster.planes[0]?.crash("kill -9"))
      at(cluster, secondAt + 14_000, () => cluster.planes[0]?.start())
      at(cluster, secondAt + 25_000, () => {
        const state = cluster.check.log.state("papi")
        const halted = Object.values(state?.rollouts ?? {}).find(
          ({ phase }) => phase.name === "holding" && phase.hold.why === "halted",
        )
        const route = cluster.server.tables.papi?.routes.find(({ route }) => route === "papi/prod")
        const weight = route?.pools.find(({ pool }) => pool === `r${halted?.number}`)?.weight
        if (!halted || weight !== 0) cluster.check.violated("E33", `it has ${weight} % of the traffic`)
      })
    })
    expect(told.violations).toEqual([])
  })

  it("E43: a router that cannot be reached keeps what it has; nothing is ended, and it goes on afterwards", async () => {
    const told = await tell(
      world("good", [{ at: secondAt + 6_000, kind: "router-unreachable", forMs: 20_000 }]),
      [],
      (cluster) => {
        let before = ""
        const table = () => JSON.stringify(cluster.server.tables)
        at(cluster, secondAt + 6_100, () => {
          before = table()
        })
        at(cluster, secondAt + 25_900, () => {
          if (table() !== before) cluster.check.violated("E43", "the table changed")
        })
      },
    )
    expect(told.violations).toEqual([])
    expect(told.second).toBe("succeeded")
  })

  it("E46: a router that forgot its routes is told them again at once", async () => {
    const told = await tell(world("good"), [], (cluster) => {
      at(cluster, secondAt - 3_000, () => {
        cluster.server.tables = {}
      })
      at(cluster, secondAt + 1_000, () => {
        const pools = cluster.server.tables.papi?.routes.find(({ route }) => route === "papi/prod")?.pools
        if (!pools?.some(({ weight }) => weight === 100)) cluster.check.violated("E46", "nobody is served")
      })
    })
    expect(told.violations).toEqual([])
  })

  it("E51: a copy of the traffic that cannot be ended lets nothing go on, and it is shown", async () => {
    const { apps, ...more } = world("good", [{ at: 38_000, kind: "router-unreachable", forMs: 30_000 }])
    const later = ({ at, ...more }: ReleasePlan): ReleasePlan => ({ ...more, at: at * 2 })
    const mirrored = {
      ...more,
      apps: apps.map((app) => ({ ...app, mirror: true, releases: app.releases.map(later) })),
    }
    const told = await tell(mirrored, [], (cluster) => {
      at(cluster, 66_000, () => {
        const rollouts = Object.values(cluster.check.log.state("papi")?.rollouts ?? {})
        const mirroring = rollouts.filter(({ region }) => region === "sandbox")[1]
        const { phase } = mirroring ?? {}
        if (phase?.name === "succeeded" || (phase?.name === "shifting" && phase.reachedAt !== undefined))
          cluster.check.violated("E51", "it went on although the copying could not be ended")
        const shown = [...(cluster.planes[0]?.engine?.problems("papi").keys() ?? [])]
        if (!shown.some((label) => label.startsWith("routes")))
          cluster.check.violated("E51", `what is shown: ${shown.join(", ") || "nothing"}`)
        const copied = cluster.server.tables.papi?.routes.some(({ mirror }) => mirror !== undefined)
        if (!copied) cluster.check.violated("E51", "the world does not copy then; move the fault")
      })
    })
    expect(told.violations).toEqual([])
    expect(told.second).toBe("succeeded")
  })

  it("E19: of two services that are released together the bad one goes back alone, and it alone is locked", async () => {
    const { apps, ...more } = world("good")
    const [app] = apps
    if (!app) throw new Error("there is no application")
    const releases = [
      { at: 0, nature: "good", irreversible: false },
      { at: secondAt, nature: "errors", irreversible: false },
    ] as const
    const told = await tell({ ...more, apps: [app, { ...app, name: "mami", releases }] })
    expect(told.violations).toEqual([])
    expect(told.second).toBe("succeeded")
    expect(told.happened("locked")).toBe(0)
    const others = told.cluster.store.streams.get("mami")?.map(({ event }) => event.type)
    expect(others).toContain("rolled-back")
  })

  it.each(["crash-before", "crash-after"] as const)(
    "E54: a %s at any routing table leaves what was decided and what the router does the same",
    async (kind) => {
      for (let nth = 4; nth <= 16; nth += 2) {
        const told = await tell(world("good"), [fault("plane1>agent.routes", nth, kind)])
        expect(told.violations).toEqual([])
        expect(told.second).toBe("succeeded")
      }
    },
  )

  it.each(["crash-before", "crash-after"] as const)(
    "E55: a %s at any start of an instance leaves no orphan",
    async (kind) => {
      for (let nth = 1; nth <= 6; nth++) {
        const told = await tell(world("good"), [fault("plane1>agent.start", nth, kind)])
        expect(told.violations).toEqual([])
      }
    },
  )

  it("E56: of two control planes the one that stood still for longer than its lease does nothing any more", async () => {
    const told = await tell(
      world("errors", [{ at: secondAt + 3_000, kind: "pause", replica: 0, forMs: 20_000 }], 2),
    )
    expect(told.violations).toEqual([])
    expect(told.second).toBe("rolled-back")
    const epochs = told.cluster.store.leases.get("app/papi")?.epoch ?? 0
    expect(epochs).toBeGreaterThan(1)
  })

  it("E57: hours without a control plane change no route, and the judgement goes on where it was", async () => {
    const away = { at: secondAt + 18_000, kind: "crash", replica: 0, forMs: 3 * 3_600_000 } as const
    const told = await tell(world("good", [away]), [], (cluster) => {
      let before = ""
      const weights = () => JSON.stringify(cluster.server.tables.papi?.routes)
      at(cluster, away.at + 100, () => {
        before = weights()
      })
      at(cluster, away.at + away.forMs - 100, () => {
        if (weights() !== before) cluster.check.violated("E57", "the routes changed")
      })
    })
    expect(told.violations).toEqual([])
    expect(told.second).toBe("succeeded")
  })

  it.each(["nan", "reset", "frozen", "zero"] as const)(
    "E60: counters that lie (%s) neither pass nor fail a release",
    async (lie) => {
      const told = await tell(world("good", [{ at: secondAt + 7_000, kind: "metrics", lie, forMs: 18_000 }]))
      expect(told.violations).toEqual([])
      expect(told.happened("quarantined")).toBe(0)
    },
  )

  it.each([3_600_000, -3_600_000])(
    "E58: a wall clock that jumps by %i ms ends no bake and blames nobody",
    async (byMs) => {
      const jump = { at: secondAt + 26_000, kind: "clock-jump", replica: 0, byMs } as const
      const told = await tell(world("good", [jump]))
      expect(told.violations).toEqual([])
      expect(told.happened("quarantined")).toBe(0)
      expect(told.second).toBe("succeeded")
    },
  )

  it("E63: a fix is compared with what it replaces: an alarm that rings already is not its fault", async () => {
    const { apps, ...more } = world("good")
    const releases = [
      { at: 0, nature: "errors", irreversible: false },
      { at: 30_000, nature: "good", irreversible: false },
    ] as const
    const told = await tell({ ...more, calmFrom: 20_000, apps: apps.map((app) => ({ ...app, releases })) })
    expect(told.violations).toEqual([])
    expect(told.second).toBe("succeeded")
  })

  it("E65: a notifier that never answers changes no verdict", async () => {
    const outage = { at: 100, kind: "partition", replica: 0, from: "notifier", forMs: 60_000 } as const
    const told = await tell(world("errors", [outage]))
    expect(told.violations).toEqual([])
    expect(told.second).toBe("rolled-back")
  })

  it("E66: a repository that hangs is given up on and asked again; what runs goes on", async () => {
    const hangs = Array.from({ length: 4 }, (_, n) => fault("plane1>source.head", n + 3, "drop"))
    const told = await tell(world("good"), hangs)
    expect(told.violations).toEqual([])
    expect(told.second).toBe("succeeded")
  })

  it("E67: a store that is full stops what is new, touches no route, and loses nothing", async () => {
    const full = { at: secondAt + 5_000, kind: "store", lie: "full", forMs: 15_000 } as const
    const told = await tell(world("errors", [full]))
    expect(told.violations).toEqual([])
    expect(told.second).toBe("rolled-back")
  })
})

describe("a control plane that begins anew", () => {
  /** When the servers answered and the repository was asked, after it was started again at 91 s, before 190 s. */
  const asked = async (silentFor: number) => {
    const heard: number[] = []
    const polled: number[] = []
    const restarts: readonly Happening[] = [
      { at: 90_000, kind: "crash", replica: 0, forMs: 1_000 },
      { at: 90_500, kind: "partition", replica: 0, from: "agent", forMs: silentFor },
    ]
    const told = await tell(world("good", restarts), [], ({ server, source, timeline }) => {
      const noted = (times: number[]) => {
        if (timeline.now > 91_000 && timeline.now < 190_000) times.push(timeline.now)
      }
      const observe = server.observe.bind(server)
      server.observe = (apps) => {
        noted(heard)
        return observe(apps)
      }
      const head = source.head.bind(source)
      source.head = (app) => {
        noted(polled)
        return head(app)
      }
    })
    expect(told.violations).toEqual([])
    return { heard: heard[0], polled: polled[0] ?? Number.NaN }
  }

  it("numbers nothing before its servers could say that they know the number already", async () => {
    const { heard, polled } = await asked(15_000)
    expect(heard).toBeGreaterThan(105_000)
    expect(polled).toBeGreaterThan(heard ?? Number.NaN)
  })

  it("waits half a minute for servers that do not answer", async () => {
    const { heard, polled } = await asked(110_000)
    expect(heard).toBe(undefined)
    expect(polled).toBeGreaterThan(121_000)
    expect(polled).toBeLessThan(135_000)
  })
})

it("a hint that comes while the repository is being read has it read once more, at once", async () => {
  const asked: number[] = []
  const told = await tell(world("good"), [], ({ source, planes, timeline }) => {
    const head = source.head.bind(source)
    source.head = (app) => {
      asked.push(timeline.now)
      if (asked.length === 3) planes[0]?.engine?.hint("papi")
      return head(app)
    }
  })
  expect(told.violations).toEqual([])
  const [, , hinted = 0, next = Number.NaN, later = Number.NaN] = asked
  expect(next - hinted).toBeLessThan(500)
  expect(later - next).toBeGreaterThan(500)
})

describe("an application that is removed", () => {
  const removed = (cluster: Cluster) => {
    const state = cluster.check.log.state("papi")
    return state !== undefined && isGone(state)
  }
  const runs = ({ server, timeline }: Cluster) =>
    [...server.instances.values()].filter(
      ({ stopped, endedAt = Number.POSITIVE_INFINITY }) => !stopped && endedAt > timeline.now,
    )
  const removal = (cluster: Cluster) =>
    submit(cluster, "papi", { type: "remove-app", reason: "nobody uses it" }, "Mira", "remove-1")

  it("leaves nothing behind, also when whoever does it dies on the way, and serves again once it is added again", async () => {
    const told = await tell(world("good", [], 2), [], (cluster) => {
      at(cluster, 48_000, () => removal(cluster))
      at(cluster, 49_000, () => cluster.planes[0]?.crash("kill -9"))
      at(cluster, 69_000, () => cluster.planes[0]?.start())
      at(cluster, 68_000, () => {
        if (!removed(cluster)) cluster.check.violated("L2", "it is not gone")
        if (runs(cluster).length > 0) cluster.check.violated("L2", `${runs(cluster).length} instances run`)
        const routes = cluster.server.tables.papi?.routes
        if (routes?.length !== 0) cluster.check.violated("L2", `${routes?.length} routes are left`)
      })
    })
    expect(told.violations).toEqual([])
    expect(told.happened("app-added")).toBe(2)
    expect(runs(told.cluster).length).toBeGreaterThan(0)
  })

  it("is not added again before the last of it has ended, and no user of it is cut off before its address closes", async () => {
    const told = await tell(world("good"), [], (cluster) => {
      at(cluster, 48_000, () => {
        removal(cluster)
        submit(
          cluster,
          "papi",
          { type: "add-app", source: { url: "papi", branch: "main" } },
          "Mira",
          "add-at-once",
        )
      })
    })
    expect(told.violations).toEqual([])
    const types = told.cluster.store.streams.get("papi")?.map(({ event }) => event.type) ?? []
    expect(types.indexOf("app-cleared")).toBeGreaterThan(types.indexOf("app-removed"))
    expect(types.lastIndexOf("app-added")).toBeGreaterThan(types.indexOf("app-cleared"))
  })
})
