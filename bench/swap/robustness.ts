import { request } from "node:http"
import { join } from "node:path"
import { ended, freeAddress, startEmbedded, status } from "./drivers.ts"
import { now } from "./load.ts"
import { summary } from "./summary.ts"

/** One order or question to the embedded router. */
function control<T>(dir: string, method: string, path: string, body?: unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: join(dir, "control.sock"), method, path, agent: false }, (answer) => {
      let text = ""
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk
      })
      answer.on("end", () =>
        answer.statusCode === 200 ? resolve(JSON.parse(text) as T) : reject(new Error(text)),
      )
    })
    asked.on("error", reject)
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Puts fresh workers in the place of those that serve, several times; milliseconds until the fresh ones served. */
export async function replaceWorkers(dir: string, times: number): Promise<readonly number[]> {
  const workers = async () => (await control<{ workers: number[] }>(dir, "GET", "/state")).workers
  const took: number[] = []
  const replaced: number[] = []
  for (let time = 0; time < times; time++) {
    const before = await workers()
    const began = now()
    await control(dir, "POST", "/workers")
    took.push(now() - began)
    replaced.push(...before)
    await pause(500)
  }
  // The old ones end when their clients have; until then users may still be on them.
  while ((await workers()).some((pid) => replaced.includes(pid))) await pause(50)
  return took
}

/** Kills the router and starts it with nobody to tell it anything; milliseconds from the start to the first answer. */
export async function restarts(parent: string, backend: string, times: number) {
  const dir = join(parent, "restart")
  const listen = await freeAddress()
  let child = startEmbedded(dir)
  const answers = async () => {
    const deadline = now() + 30_000
    while ((await status(listen)) !== 200) {
      if (now() > deadline) throw new Error("the router did not serve within 30 s of its start")
      await pause(2)
    }
  }
  const route = {
    route: "bench/users",
    listen,
    salt: "bench",
    sticky: { by: "none" },
    pools: [{ pool: "one", weight: 100, instances: [{ id: "one", address: backend }] }],
    stable: "one",
  }
  const order = { app: "bench", epoch: 1, generation: 1, routes: [route] }
  const took: number[] = []
  try {
    while (
      !(await control(dir, "PUT", "/table", order).then(
        () => true,
        () => false,
      ))
    )
      await pause(20)
    await answers()
    for (let time = 0; time < times; time++) {
      child.kill("SIGKILL")
      await ended(child)
      // Its workers end by themselves; until then they would answer in its place.
      while ((await status(listen)) !== undefined) await pause(5)
      const began = now()
      child = startEmbedded(dir)
      await answers()
      took.push(now() - began)
    }
  } finally {
    child.kill("SIGTERM")
    await ended(child)
  }
  return summary(took)
}
