import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { Item } from "../product.ts"
import { answer, Backend, type Seen } from "../stage/backend.ts"
import { Client } from "../stage/client.ts"
import { askAll, askTimes, Crowd } from "../stage/load.ts"
import { clockEnv } from "../stage/program.ts"
import { fieldOf } from "../stage/read-answers.ts"
import { becomes, must, soon } from "../stage/waiting.ts"
import { poolOf } from "./control.ts"
import { request } from "./plain.ts"

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Too much of something. */
export const limits: readonly Item[] = [
  {
    id: "54",
    title: "all instances full: 503 with Retry-After, and no queue without an end",
    async check(stage) {
      const backend = await Backend.open(stage.cleanup, "ok")
      const held: Seen[] = []
      backend.onRequest = (seen) => held.push(seen)
      const site = await stage.open({ pools: [poolOf("all", 100, backend)], mostInFlight: 2 })
      const clients: Client[] = []
      for (let at = 0; at < 12; at += 1) {
        const client = await Client.connect(site.address, stage.cleanup)
        client.send(request("GET", `/${at}`), "GET")
        clients.push(client)
      }
      const refused = () => clients.filter((client) => client.finals[0]?.status === 503)
      await soon("10 refusals", () => refused().length >= 10, 5_000)
      await soon("two requests at the instance", () => held.length >= 2)
      must(held.length === 2, `${held.length} requests at the instance instead of 2`)
      must(
        refused().every((client) => fieldOf(client.finals[0] ?? { fields: [] }, "retry-after") !== undefined),
        "Retry-After is missing",
      )
      backend.onRequest = (seen) => answer(seen, "ok")
      for (const seen of held) answer(seen, "ok")
      await soon("the two answers", () => clients.filter((one) => one.finals[0]?.status === 200).length === 2)
      await sleep(50)
      must(backend.requests.length === 2, "what had been refused reached the instance later")
      const after = await askTimes(site, stage.cleanup, 1)
      must(after[0]?.status === 200, "it does not answer when there is room again")
    },
  },
  {
    id: "58",
    title: "a backend that restarts again and again: at most 1.2 attempts for a request",
    async check(stage) {
      const backend = await Backend.open(stage.cleanup, "ok")
      const site = await stage.open({ pools: [poolOf("all", 100, backend)] })
      let isDown = false
      let turnedAway = 0
      backend.onConnection = (socket) => {
        if (!isDown) return false
        turnedAway += 1
        socket.resetAndDestroy()
        return true
      }
      const crowd = new Crowd(site, stage.cleanup, 10, 5)
      for (let turn = 0; turn < 6; turn += 1) {
        await sleep(200)
        isDown = true
        for (const socket of backend.sockets) socket.resetAndDestroy()
        await sleep(100)
        isDown = false
      }
      await sleep(300)
      await crowd.stop()
      const attempts = backend.requests.length + turnedAway
      const ratio = attempts / crowd.asked.length
      must(ratio <= 1.2, `${attempts} attempts for ${crowd.asked.length} requests`)
      must(crowd.asked.at(-1)?.status === 200, "it does not recover")
    },
  },
  {
    id: "59",
    title: "the wall clock jumps by a day: no timeout fires early or late",
    async check(stage) {
      const folder = await mkdtemp(join(tmpdir(), "clock-"))
      stage.cleanup.add(() => rm(folder, { recursive: true, force: true }))
      const clockFile = join(folder, "clock")
      must((await clockEnv(clockFile)) !== undefined, "libfaketime is not installed: scripts/setup.sh tests")
      await writeFile(clockFile, "+0")
      const backend = await Backend.open(stage.cleanup, "ok")
      const site = await stage.open({
        pools: [poolOf("all", 100, backend)],
        clockFile,
        headerTimeout: 2_000,
        responseTimeout: 2_000,
        idleTimeout: 30_000,
      })
      const resting = await Client.connect(site.address, stage.cleanup)
      resting.send(request("GET", "/1"), "GET")
      await resting.settled(1)
      for (const [turn, jump] of ["+86400", "-86400"].entries()) {
        backend.onRequest = (seen) => {
          if (seen.target === "/late") setTimeout(() => answer(seen, "late"), 800)
          else if (seen.target !== "/never") answer(seen, "ok")
        }
        const late = await Client.connect(site.address, stage.cleanup)
        late.send(request("GET", "/late"), "GET")
        const never = await Client.connect(site.address, stage.cleanup)
        never.send(request("GET", "/never"), "GET")
        const half = await Client.connect(site.address, stage.cleanup)
        half.send("GET / HT")
        await soon("both at the backend", () => backend.requests.length >= 2)
        await writeFile(clockFile, jump)
        const at = performance.now()
        const [first] = await late.settled(1)
        must(first?.status === 200, `${jump}: a request under way was answered ${first?.status ?? "nothing"}`)
        must(resting.state === "open", `${jump}: a resting connection was closed`)
        must(half.state === "open" && half.text === "", `${jump}: a head under way was cut at once`)
        const [timeout] = await never.settled(1, 8_000)
        must(
          timeout?.status === 504,
          `${jump}: a request without an answer got ${timeout?.status ?? "nothing"}`,
        )
        must(performance.now() - at > 1_000, `${jump}: the timeout came early`)
        must(
          await becomes(() => half.state !== "open" || half.text !== "", 8_000),
          `${jump}: half a head is never cut`,
        )
        resting.send(request("GET", "/again"), "GET")
        const again = (await resting.settled(turn + 2))[turn + 1]
        must(again?.status === 200, `${jump}: the resting connection is of no use`)
        backend.requests.length = 0
      }
    },
  },
  {
    id: "60",
    title: "no files left: it goes on when there are some again",
    async check(stage) {
      const backend = await Backend.open(stage.cleanup, "ok")
      const site = await stage.open({ pools: [poolOf("all", 100, backend)], mostFiles: 256 })
      const { pid } = site
      must(
        (await askTimes(site, stage.cleanup, 4)).every((one) => one.status === 200),
        "it does not serve",
      )
      const clients = await Promise.all(
        Array.from({ length: 500 }, () => Client.connect(site.address, stage.cleanup).catch(() => undefined)),
      )
      for (const client of clients) client?.send("G")
      await sleep(500)
      must(isAlive(pid), `it ended: ${site.said().slice(-200)}`)
      for (const client of clients) client?.socket.destroy()
      await soon(
        "answers again",
        async () => (await askTimes(site, stage.cleanup, 10)).every((one) => one.status === 200),
        20_000,
      )
      must(isAlive(pid) && site.pid === pid, "it was started anew")
    },
  },
  {
    id: "61",
    title: "slow connections of one address are bounded, other addresses are served",
    async check(stage) {
      const backend = await Backend.open(stage.cleanup, "ok")
      const most = 40
      const site = await stage.open({
        pools: [poolOf("all", 100, backend)],
        mostConnectionsPerAddress: most,
        headerTimeout: 4_000,
      })
      // Who is turned away at once is as good as one who is closed a moment later.
      const clients = await Promise.all(
        Array.from({ length: 200 }, () => Client.connect(site.address, stage.cleanup).catch(() => undefined)),
      )
      for (const client of clients) client?.send("G")
      const open = () => clients.filter((client) => client?.state === "open").length
      await soon(
        `at most ${most} of them open`,
        () => open() <= most,
        // Before the timeout for heads closes all of them.
        2_500,
      )
      must(open() > most / 2, `only ${open()} of ${most} are allowed`)
      const other = await Client.connect(site.address, stage.cleanup, "127.0.0.2")
      other.send(request("GET", "/"), "GET")
      const [first] = await other.settled(1)
      must(first?.status === 200, `another address got ${first?.status ?? "nothing"}`)
      await soon("the end of the slow ones", () => open() === 0, 15_000)
      const isServed = await becomes(
        async () => (await askTimes(site, stage.cleanup, 1))[0]?.status === 200,
        5_000,
      )
      must(isServed, "the first address is not served when they are gone")
    },
  },
  {
    id: "62",
    title: "what it tells about itself does not grow with paths, hosts and users",
    async check(stage) {
      const backend = await Backend.open(stage.cleanup, "ok")
      const site = await stage.open({ pools: [poolOf("all", 100, backend)] })
      const asked = (name: string) =>
        Array.from({ length: 500 }, (_, at) => ({
          path: `/${name}-${at}?${name}=${at}`,
          fields: [`X-${name}-${at}: ${name}`, `Cookie: user=${name}-${at}`],
        }))
      const told = async () => (await site.metrics()).replace(/\d+/g, "0")
      await askAll(site, stage.cleanup, asked("warm"))
      const before = await told()
      await askAll(site, stage.cleanup, asked("labels"))
      const after = await told()
      must(before.length > 0, "it tells nothing")
      must(!/labels|warm/.test(await site.metrics()), "paths or users are told apart")
      // A histogram may fill a few more buckets.
      must(after.length < before.length + 1_000, `from ${before.length} to ${after.length} characters`)
    },
  },
]
