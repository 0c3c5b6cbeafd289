import { fork } from "node:child_process"
import { Agent, request } from "node:http"
import { fileURLToPath } from "node:url"

export type Answer = "one" | "two"

/** One request of a user: when it was sent, when all of the answer was there, and what that was. */
type Asked = readonly [sent: number, done: number, answer: Answer | "failed"]

/** A time in which an acknowledged table held, and the only answer that it allowed, if there was only one. */
export type Settled = { readonly from: number; until: number; readonly answer: Answer | undefined }

/** Milliseconds on a clock that all processes of this machine share. */
export const now = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000

/** Users in a process of their own: what they measure is not held up by who gives the orders. */
export function startLoad(address: string, connections: number, pauseMs: number) {
  const child = fork(fileURLToPath(import.meta.url), [address, String(connections), String(pauseMs)])
  const told: Asked[] = []
  let begun = () => {}
  const running = new Promise<void>((resolve) => {
    begun = resolve
  })
  const over = new Promise<readonly Asked[]>((resolve) => {
    child.on("message", (message: "running" | Asked[]) => {
      if (message === "running") begun()
      else told.push(...message)
    })
    child.on("exit", () => resolve(told))
  })
  return {
    running,
    stop: () => {
      child.send("stop")
      return over
    },
  }
}

/** What went wrong. A request during which the table changed may have had either answer. */
export function tally(all: readonly Asked[], settled: readonly Settled[]) {
  const order = [...all].sort(([a], [b]) => a - b)
  let [at, stale, failed] = [0, 0, 0]
  for (const [sent, done, answer] of order) {
    if (answer === "failed") failed += 1
    while (at + 1 < settled.length && (settled[at + 1]?.from ?? 0) < sent) at += 1
    const held = settled[at]
    const binds = held && held.answer !== undefined && sent > held.from && done < held.until
    if (binds && answer !== "failed" && answer !== held.answer) stale += 1
  }
  return { requests: order.length, failed, stale }
}

function beUsers(address: string, connections: number, pauseMs: number): void {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  let asked: Asked[] = []
  let isOver = false
  const send = () => {
    process.send?.(asked)
    asked = []
  }
  const one = () =>
    new Promise<void>((resolve) => {
      const sent = now()
      const note = (answer: Answer | "failed") => {
        asked.push([sent, now(), answer])
        resolve()
      }
      const outgoing = request(`http://${address}/`, { agent }, (answer) => {
        let body = ""
        answer.setEncoding("latin1").on("data", (chunk: string) => {
          body += chunk
        })
        answer.on("error", () => note("failed"))
        answer.on("end", () =>
          note(answer.statusCode === 200 && (body === "one" || body === "two") ? body : "failed"),
        )
      })
      outgoing.on("error", () => note("failed"))
      outgoing.end()
    })
  const user = async () => {
    while (!isOver) {
      await one()
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }
  process.on("message", () => {
    isOver = true
  })
  const timer = setInterval(send, 500)
  process.send?.("running")
  void Promise.all(Array.from({ length: connections }, user)).then(() => {
    clearInterval(timer)
    agent.destroy()
    process.send?.(asked, () => process.disconnect())
  })
}

const [, program, address, connections, pauseMs] = process.argv
if (program === fileURLToPath(import.meta.url) && address)
  beUsers(address, Number(connections), Number(pauseMs))
