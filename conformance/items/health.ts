import { setTimeout as sleep } from "node:timers/promises"
import type { Item, PoolSetup, Site, Stage } from "../product.ts"
import { answer, Backend } from "../stage/backend.ts"
import { askAll, askTimes } from "../stage/load.ts"
import { freePort } from "../stage/program.ts"
import { becomes, must, soon } from "../stage/waiting.ts"
import { poolOf } from "./control.ts"

const checks = { path: "/health", interval: 200, timeout: 200, rise: 2, fall: 3 } as const

type Checked = {
  readonly backend: Backend
  /** What it says when it is asked how it is. */
  says: "well" | "ill" | "nothing"
  /** When it was asked. */
  readonly checks: number[]
  /** Requests of users. */
  readonly users: () => number
}

/** A backend that answers users always, and the question how it is as it is told to. */
async function checked(stage: Stage, name: string, says: Checked["says"]): Promise<Checked> {
  const backend = await Backend.open(stage.cleanup, name)
  const usual = backend.onRequest
  const users = () => backend.requests.filter((seen) => seen.target !== "/health").length
  const one: Checked = { backend, says, checks: [], users }
  backend.onRequest = (seen) => {
    if (seen.target !== "/health") {
      usual(seen)
      return
    }
    one.checks.push(performance.now())
    if (one.says === "well") answer(seen, "", "Connection: close\r\n")
    else if (one.says === "ill") answer(seen, "", "Connection: close\r\n", "503 Service Unavailable")
  }
  return one
}

/** Whether users reach it now. */
async function isServing(stage: Stage, site: Site, one: Checked): Promise<boolean> {
  const before = one.users()
  await askTimes(site, stage.cleanup, 12)
  return one.users() > before
}

/** Instances that are ill, and what users notice of it. */
export const health: readonly Item[] = [
  {
    id: "50",
    title: "active checks: rise, fall, timeout, jitter, and no user before the first pass",
    async check(stage) {
      const well = await checked(stage, "well", "well")
      const other = await checked(stage, "other", "ill")
      const site = await stage.open({
        pools: [poolOf("all", 100, well.backend, other.backend)],
        health: checks,
      })
      must(!(await isServing(stage, site, other)), "users reached an instance before its first pass")
      await soon("a check of it", () => other.checks.length >= 2)
      must(!(await isServing(stage, site, other)), "users reached an instance that never passed")
      other.says = "well"
      await soon("users on it", () => isServing(stage, site, other))
      other.says = "ill"
      const at = other.checks.length
      await soon("one bad check", () => other.checks.length > at)
      other.says = "well"
      await soon("two more checks", () => other.checks.length > at + 2)
      must(await isServing(stage, site, other), "one bad check took it out, though fall is 3")
      other.says = "nothing"
      await soon("a hanging check to count as a bad one", async () => !(await isServing(stage, site, other)))
      await sleep(50)
      const out = other.checks.length
      other.says = "well"
      await soon("users on it again", () => isServing(stage, site, other))
      must(other.checks.length - out >= 2, "it came back before it had passed twice")
      await soon("more checks", () => well.checks.length >= 12)
      const gaps = well.checks.slice(1).map((time, index) => time - (well.checks[index] ?? 0))
      must(Math.max(...gaps) - Math.min(...gaps) > 8, "all checks come at the same distance: no jitter")
    },
  },
  {
    id: "51",
    title: "passive checks: 5 bad answers in a row eject, n times as long, and at most one of three",
    async check(stage) {
      const time = 2_000
      const ejection = { after: 5, time }
      const backends = await Promise.all(["a", "b", "c"].map((name) => Backend.open(stage.cleanup, name)))
      const [a, b, c] = backends
      must(a !== undefined && b !== undefined && c !== undefined, "three backends")
      const bad = (backend: Backend) => {
        backend.onRequest = (seen) => answer(seen, "bad", "", "500 Internal Server Error")
      }
      bad(a)
      const site = await stage.open({ pools: [poolOf("all", 100, a, b, c)], ejection })
      const reaches = (count: number) =>
        soon(`${count} bad answers`, async () => {
          await askTimes(site, stage.cleanup, 2, 1)
          return a.requests.length >= count
        })
      /** It got five more than `before`, and is left alone now. */
      const ejected = async (before: number) => {
        await reaches(before + 5)
        const at = performance.now()
        while (performance.now() - at < time * 0.4) await askTimes(site, stage.cleanup, 6, 1)
        must(a.requests.length <= before + 6, `ejected only after ${a.requests.length - before} bad answers`)
        return at
      }
      const first = await ejected(0)
      const count = a.requests.length
      await reaches(count + 1)
      const once = performance.now() - first
      must(once > time * 0.6, `tried again after ${Math.round(once)} ms`)
      const second = await ejected(count)
      const before = a.requests.length
      while (performance.now() - second < time * 1.5) await askTimes(site, stage.cleanup, 6)
      must(a.requests.length === before, "the second time was no longer than the first")
      bad(b)
      const late = await stage.open({ pools: [poolOf("all", 100, a, b, c)], ejection })
      await askTimes(late, stage.cleanup, 40, 1)
      const [beforeA, beforeB] = [a.requests.length, b.requests.length]
      await askTimes(late, stage.cleanup, 20, 1)
      const asked = [a.requests.length > beforeA, b.requests.length > beforeB].filter((one) => one).length
      must(asked === 1, asked === 0 ? "two of three were ejected at once" : "none was ejected")
      const dead: PoolSetup = {
        name: "all",
        weight: 100,
        instances: [
          { id: "c", address: c.address },
          { id: "dead", address: `127.0.0.1:${await freePort()}` },
        ],
      }
      const half = await stage.open({ pools: [dead], ejection })
      const told = await askTimes(half, stage.cleanup, 60)
      const failed = told.filter((one) => one.status !== 200).length
      must(failed === 0, `${failed} of 60 requests failed for an instance that takes no connections`)
    },
  },
  {
    id: "52",
    title: "below half of the instances well all are asked, and no stable user goes to the canary",
    async check(stage) {
      const stable = await Promise.all([0, 1, 2, 3].map((at) => checked(stage, `stable-${at}`, "well")))
      const canary = await checked(stage, "canary", "well")
      const pools = [
        poolOf("stable", 80, ...stable.map((one) => one.backend)),
        poolOf("canary", 20, canary.backend),
      ]
      const site = await stage.open({ pools, sticky: true, health: checks })
      await soon("all to serve", async () => {
        const serving = await Promise.all([...stable, canary].map((one) => isServing(stage, site, one)))
        return serving.filter((one) => one).length >= 4
      })
      const users = Array.from({ length: 100 }, (_, at) => ({ fields: [`Cookie: user=user-${at}`] }))
      const ask = () => askAll(site, stage.cleanup, users)
      await soon("a settled split", async () => (await ask()).some((one) => one.body === "canary"))
      const before = await ask()
      for (const ill of [3, 4]) {
        for (const one of stable.slice(0, ill)) one.says = "ill"
        const at = stable[0]?.checks.length ?? 0
        await soon("the checks to fail", () => (stable[0]?.checks.length ?? 0) >= at + 5)
        const counts = stable.map((one) => one.users())
        const after = await ask()
        must(
          after.every((one) => one.status === 200),
          `requests failed with ${ill} of 4 ill`,
        )
        const isMoved = after.some((one, user) => before[user]?.body !== "canary" && one.body === "canary")
        must(!isMoved, `with ${ill} of 4 ill a stable user was sent to the canary`)
        const isAsked = stable.map((one, index) => one.users() > (counts[index] ?? 0))
        must(
          isAsked.every((asked) => asked),
          `with ${ill} of 4 ill only ${isAsked.filter((one) => one).length} are asked`,
        )
      }
    },
  },
  {
    id: "53",
    title: "a canary that is empty or ill: its users fall back to stable, and that is told",
    async check(stage) {
      const stable = await checked(stage, "stable", "well")
      const canary = await checked(stage, "canary", "well")
      const pools = [poolOf("stable", 80, stable.backend), poolOf("canary", 20, canary.backend)]
      const site = await stage.open({ pools, health: checks })
      await soon("the canary to serve", () => isServing(stage, site, canary))
      const before = await site.metrics()
      await canary.backend.close()
      await soon("all to be answered", async () =>
        (await askTimes(site, stage.cleanup, 30)).every((one) => one.status === 200),
      )
      const count = stable.users()
      const asked = await askTimes(site, stage.cleanup, 100)
      must(
        asked.every((one) => one.status === 200 && one.body === "stable"),
        "users of an ill canary were not answered by stable",
      )
      must(stable.users() - count === 100, "stable did not answer all")
      const tells = await becomes(async () => {
        await askTimes(site, stage.cleanup, 10)
        return isTold(before, await site.metrics())
      }, 5_000)
      must(tells, "nothing tells that the canary's users went elsewhere")
      const empty = await stage.open({ pools: [poolOf("stable", 80, stable.backend), poolOf("canary", 20)] })
      const fallen = await askTimes(empty, stage.cleanup, 100)
      must(
        fallen.every((one) => one.status === 200),
        "users of an empty canary were not answered",
      )
    },
  },
]

/** Whether what a product tells of its canary says more than counts that grow: a state, or users who went elsewhere. */
function isTold(before: string, after: string): boolean {
  const told = (text: string) => text.includes("DOWN") || /"fellBack":\{"canary":[1-9]/.test(text)
  return !told(before) && told(after)
}
