import { setTimeout as sleep } from "node:timers/promises"
import type { Item, PoolSetup, Stage } from "../product.ts"
import { Embedded } from "../products/embedded.ts"
import { Backend } from "../stage/backend.ts"
import { Client } from "../stage/client.ts"
import { askAll, askTimes, Crowd, sigmas, Visitor } from "../stage/load.ts"
import { isThere, killGroup, start } from "../stage/program.ts"
import { fieldOf } from "../stage/read-answers.ts"
import { becomes, must, soon } from "../stage/waiting.ts"
import { request } from "./plain.ts"

export const poolOf = (name: string, weight: number, ...backends: readonly Backend[]): PoolSetup => ({
  name,
  weight,
  instances: backends.map(({ address }, at) => ({ id: `${name}-${at}`, address })),
})

async function twoPools(stage: Stage): Promise<{
  readonly stable: Backend
  readonly canary: Backend
  readonly split: (share: number) => readonly PoolSetup[]
}> {
  const stable = await Backend.open(stage.cleanup, "stable")
  const canary = await Backend.open(stage.cleanup, "canary")
  const split = (share: number) => [poolOf("stable", 100 - share, stable), poolOf("canary", share, canary)]
  return { stable, canary, split }
}

const drainDeadline = 1_500

/** What the control plane orders. */
export const control: readonly Item[] = [
  {
    id: "46",
    title: "a drain: a slow request, an event stream and a WebSocket end well or at the deadline",
    async check(stage) {
      const leaving = await Backend.open(stage.cleanup, "leaving")
      const staying = await Backend.open(stage.cleanup, "staying")
      for (const backend of [leaving, staying]) {
        const usual = backend.onRequest
        backend.onHead = (seen) => {
          if (seen.target !== "/ws") return
          seen.socket.removeAllListeners("data")
          seen.socket.write(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
          )
          seen.socket.on("data", (chunk) => seen.socket.write(chunk))
        }
        backend.onRequest = (seen) => {
          if (seen.target === "/slow") setTimeout(() => usual(seen), 700)
          else if (seen.target === "/events") {
            seen.socket.write(
              "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
            )
            const timer = setInterval(() => seen.socket.write("8\r\ndata: 1\n\r\n"), 50)
            seen.socket.on("close", () => clearInterval(timer))
          } else if (seen.target !== "/ws") usual(seen)
        }
      }
      const site = await stage.open({ pools: [poolOf("all", 100, leaving, staying)], drainDeadline })
      const onLeaving = async (target: string, fields: readonly string[] = []) => {
        for (;;) {
          const before = leaving.requests.length
          const client = await Client.connect(site.address, stage.cleanup)
          client.send(request("GET", target, fields), "GET")
          const count = leaving.requests.length + staying.requests.length
          await soon("the request", () => leaving.requests.length + staying.requests.length > count)
          if (leaving.requests.length > before) return client
          client.socket.destroy()
        }
      }
      const events = await onLeaving("/events")
      const socket = await onLeaving("/ws", ["Connection: Upgrade", "Upgrade: echo"])
      await soon("both to flow", () => events.text.includes("data: 1") && socket.text.includes(" 101 "))
      const slow = await onLeaving("/slow")
      await site.drain("all-0")
      const drainedAt = performance.now()
      const before = leaving.requests.length
      const after = await askTimes(site, stage.cleanup, 40)
      must(
        after.every((one) => one.status === 200),
        "requests failed after the drain",
      )
      must(leaving.requests.length === before, "the drained instance got a new request after the ack")
      const [answer] = await slow.settled(1)
      must(answer?.status === 200 && answer.isWhole, "the slow request did not finish")
      let eventsEnd = 0
      let socketEnd = 0
      await soon(
        "the end of stream and WebSocket",
        () => {
          if (eventsEnd === 0 && events.state !== "open") eventsEnd = performance.now() - drainedAt
          if (socketEnd === 0 && socket.state !== "open") socketEnd = performance.now() - drainedAt
          return eventsEnd > 0 && socketEnd > 0
        },
        drainDeadline + 5_000,
      )
      for (const [name, end] of [
        ["the event stream", eventsEnd],
        ["the WebSocket", socketEnd],
      ] as const) {
        must(end > drainDeadline - 300, `${name} was cut after ${Math.round(end)} of ${drainDeadline} ms`)
        must(end < drainDeadline + 3_000 * stage.patience, `${name} lived on for ${Math.round(end)} ms`)
      }
    },
  },
  {
    id: "47",
    title: "swaps under load: 0 failures, 0 stale answers after the ack, one way back below 50 ms",
    async check(stage) {
      const { split } = await twoPools(stage)
      const site = await stage.open({ pools: split(0), workers: 2 })
      const crowd = new Crowd(site, stage.cleanup, 8)
      await sleep(100)
      const times: number[] = []
      const acks: { readonly at: number; readonly until: number; readonly wanted: string }[] = []
      for (let turn = 0; turn < 20; turn += 1) {
        const share = turn % 2 === 0 ? 100 : 0
        const before = performance.now()
        await site.apply(split(share))
        const at = performance.now()
        if (share === 0) times.push(at - before)
        await sleep(60)
        acks.push({ at, until: performance.now(), wanted: share === 100 ? "canary" : "stable" })
      }
      await crowd.stop()
      const failed = crowd.asked.filter((one) => one.status !== 200).length
      must(failed === 0, `${failed} of ${crowd.asked.length} requests failed`)
      const stale = acks.flatMap(({ at, until, wanted }) =>
        crowd.asked.filter((one) => one.startedAt > at && one.startedAt < until && one.body !== wanted),
      )
      must(stale.length === 0, `${stale.length} answers of the wrong pool after the ack`)
      // The best of ten: on a busy machine the others measure the machine.
      must(
        Math.min(...times) < 50 * stage.patience,
        `the quickest way back took ${Math.round(Math.min(...times))} ms`,
      )
    },
  },
  {
    id: "48",
    title: "sticky users: over workers, restarts and growing shares; a salt for each rollout",
    async check(stage) {
      const { split } = await twoPools(stage)
      const site = await stage.open({ pools: split(5), sticky: true, salt: "one", workers: 2 })
      const users = Array.from({ length: 1_000 }, (_, at) => ({ fields: [`Cookie: a=b; user=user-${at}`] }))
      const sides = async () => (await askAll(site, stage.cleanup, users)).map((one) => one.body)
      const few = await sides()
      must(JSON.stringify(await sides()) === JSON.stringify(few), "users change sides on other connections")
      const inCanary = (all: readonly string[]) => all.filter((side) => side === "canary").length
      must(
        few.every((side) => side !== ""),
        "a request failed",
      )
      must(sigmas(inCanary(few), 1_000, 0.05) <= 3, `${inCanary(few)} of 1,000 users at 5 %`)
      await site.apply(split(20))
      const more = await sides()
      must(sigmas(inCanary(more), 1_000, 0.2) <= 3, `${inCanary(more)} of 1,000 users at 20 %`)
      const isSuperset = few.every((side, at) => side !== "canary" || more[at] === "canary")
      must(isSuperset, "a user left the canary when its share grew")
      await site.restart()
      must(JSON.stringify(await sides()) === JSON.stringify(more), "users changed sides over a restart")
      await site.apply(split(20), "two")
      const others = await sides()
      const both = others.filter((side, at) => side === "canary" && more[at] === "canary").length
      must(both < inCanary(more) / 2, "another salt chooses the same users")
      const visitor = new Visitor(site, stage.cleanup)
      const anonymous = new Set<string>()
      for (let turn = 0; turn < 20; turn += 1) {
        const { answer, body } = await visitor.get()
        const given = answer && fieldOf(answer, "set-cookie")
        const cookie = given && /^(user=[^;]+)/.exec(given)?.[1]
        if (cookie === undefined || cookie === null) anonymous.add(body)
        else {
          const again = await visitor.get("/", [`Cookie: ${cookie}`])
          must(again.body === body, "a user with a cookie of the router changed sides")
        }
      }
      must(anonymous.size <= 1, "a user without a cookie changes sides and gets no cookie")
    },
  },
  {
    id: "49",
    title: "weights of 1, 5 and 25 % within three standard deviations",
    async check(stage) {
      const { split } = await twoPools(stage)
      const site = await stage.open({ pools: split(1), workers: 2 })
      for (const share of [1, 5, 25]) {
        await site.apply(split(share))
        const asked = await askTimes(site, stage.cleanup, 2_000)
        const hits = asked.filter((one) => one.body === "canary").length
        must(
          asked.every((one) => one.status === 200),
          "a request failed",
        )
        must(sigmas(hits, asked.length, share / 100) <= 3, `${hits} of ${asked.length} at ${share} %`)
      }
    },
  },
  {
    id: "55",
    title: "the control plane is killed: traffic and weights stay, and the next one goes on",
    async check(stage) {
      const { split } = await twoPools(stage)
      const site = await stage.open({ pools: split(0) })
      const plane = start(site.controlBy(split(25)), stage.cleanup)
      await soon(
        "the order to be true",
        async () => (await askTimes(site, stage.cleanup, 50)).some((one) => one.body === "canary"),
        20_000,
      )
      // A reload is not true everywhere in the moment in which it is true somewhere.
      await sleep(500)
      killGroup(plane.pid)
      await plane.over
      const asked = await askTimes(site, stage.cleanup, 1_000)
      must(
        asked.every((one) => one.status === 200),
        "requests failed without a control plane",
      )
      const hits = asked.filter((one) => one.body === "canary").length
      must(sigmas(hits, 1_000, 0.25) <= 4, `${hits} of 1,000 at 25 %`)
      if (site instanceof Embedded) {
        const state = (await site.ask("GET", "/state")).body as {
          readonly apps: Readonly<Record<string, { readonly generation: number }>>
        }
        const known = state.apps.conformance?.generation
        must(known === site.generation, `the router remembers generation ${known}, not ${site.generation}`)
      }
      await site.apply(split(100))
      const after = await askTimes(site, stage.cleanup, 50)
      must(
        after.every((one) => one.body === "canary"),
        "the next control plane's order is not true",
      )
    },
  },
  {
    id: "56",
    title: "a worker is killed: another one serves, and a new one comes within a second",
    async check(stage) {
      const { split } = await twoPools(stage)
      const times: number[] = []
      for (let turn = 0; turn < 3; turn += 1) {
        const site = await stage.open({ pools: split(0), workers: 2 })
        await soon("workers", async () => (await site.workers()).length > 0)
        const before = await site.workers()
        const [victim] = before
        must(victim !== undefined, "there are no workers")
        const at = performance.now()
        process.kill(victim, "SIGKILL")
        // What is on its way to a worker in the moment of its death is lost; so it counts from when it is buried.
        await soon("its end", async () => (await isThere(victim)) === false)
        const asked = await askTimes(site, stage.cleanup, 30)
        const failed = asked.filter((one) => one.status !== 200).length
        must(failed === 0, `${failed} of 30 new requests failed after a worker had gone`)
        const isBack = await becomes(async () => (await site.workers()).length >= before.length, 20_000)
        must(isBack, "no new worker came")
        times.push(performance.now() - at)
      }
      // The best of three: on a busy machine the others measure the machine.
      must(
        Math.min(...times) < 1_000 * stage.patience,
        `the quickest new worker took ${Math.round(Math.min(...times))} ms`,
      )
    },
  },
  {
    id: "57",
    title: "an order of an older generation is refused",
    async check(stage) {
      const { split } = await twoPools(stage)
      const site = await stage.open({ pools: split(0) })
      must(site instanceof Embedded, "there is nothing to ask")
      await site.apply(split(0))
      await site.apply(split(0))
      for (const generation of [site.generation - 1, site.generation]) {
        const told = await site.orderWith(generation, split(100))
        must(told.status === 409, `generation ${generation} was answered ${told.status}`)
      }
      const asked = await askTimes(site, stage.cleanup, 50)
      must(
        asked.every((one) => one.body === "stable"),
        "an order that was refused is true",
      )
    },
  },
]
