import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { RouteView } from "../api/contract/views.ts"
import { nginxConfiguration, nginxLacks } from "./nginx.ts"

const nginx = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"].find((file) => existsSync(file))

describe.skipIf(nginx === undefined)("a real nginx", () => {
  let dir: string
  let running: ChildProcess | undefined
  let instances: Server[]

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "nginx-"))
    instances = []
  })
  afterEach(async () => {
    if (running) {
      running.kill("SIGTERM")
      await once(running, "exit")
      running = undefined
    }
    for (const server of instances) {
      server.closeAllConnections()
      server.close()
    }
    rmSync(dir, { recursive: true, force: true })
  })

  const instance = async (name: string) => {
    const server = createServer((asked, answer) => answer.end(`${name} ${asked.url} ${asked.headers.host}`))
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    instances.push(server)
    return { id: name, address: `127.0.0.1:${(server.address() as AddressInfo).port}` }
  }
  const route = (pools: RouteView["pools"], more: Partial<RouteView> = {}): RouteView => ({
    route: "papi/prod-3",
    region: "prod-3",
    router: "embedded",
    listen: "127.0.0.1:18103",
    salt: "papi/prod-3/7",
    sticky: { by: "none" },
    stable: pools[0]?.pool,
    pools,
    ...more,
  })
  const write = (routes: readonly RouteView[]) => {
    const file = join(dir, "nginx.conf")
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((name) => `${name}_temp_path ${dir}/${name};`)
      .join(" ")
    writeFileSync(
      file,
      `daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log;
events {}
http { access_log off; ${paths}
${nginxConfiguration("papi", routes)}
}
`,
    )
    return file
  }
  const accepted = (routes: readonly RouteView[]) =>
    execFileSync(nginx ?? "", ["-t", "-q", "-p", dir, "-c", write(routes)], { stdio: "pipe" }).toString()

  it("accepts every kind of route: weights, users by cookie, header and address, pools with nobody in them", async () => {
    const [a, b] = [await instance("a"), await instance("b")]
    const pools = [
      { pool: "r1", weight: 99.5, instances: [a] },
      { pool: "r2", weight: 0.5, instances: [b] },
      { pool: "r3", weight: 0, instances: [] },
    ]
    const stickies: readonly RouteView["sticky"][] = [
      { by: "none" },
      { by: "address" },
      { by: "header", name: "X-User" },
      { by: "cookie", name: "my-side.1" },
    ]
    const routes = stickies.map((sticky, at) =>
      route(pools, { route: `papi/r-${at}`, listen: `127.0.0.1:1810${at}`, sticky }),
    )
    const empty = route([{ pool: "r1", weight: 100, instances: [] }], { listen: "127.0.0.1:18109" })
    expect(accepted([...routes, empty])).toBe("")
  })

  it("splits users as the weights say, and keeps each on one side", async () => {
    const [a, b] = [await instance("a"), await instance("b")]
    const port = await freePort()
    const pools = [
      { pool: "r1", weight: 70, instances: [a] },
      { pool: "r2", weight: 30, instances: [b] },
    ]
    const view = route(pools, { listen: `127.0.0.1:${port}`, sticky: { by: "cookie", name: "side" } })
    running = spawn(nginx ?? "", ["-p", dir, "-c", write([view])], { stdio: "ignore" })
    const get = async (cookie?: string) => {
      const answer = await fetch(`http://127.0.0.1:${port}/a?b=%2F`, { headers: cookie ? { cookie } : {} })
      return { body: await answer.text(), cookie: answer.headers.get("set-cookie")?.split(";")[0] }
    }
    await until(async () => (await get()).body !== "")
    const seen = { a: 0, b: 0 }
    for (let user = 0; user < 200; user++) {
      const first = await get()
      const again = await get(`theme=dark; ${first.cookie}`)
      expect(again).toEqual({ body: first.body, cookie: undefined })
      const [name, path, host] = first.body.split(" ")
      expect([path, host]).toEqual(["/a?b=%2F", `127.0.0.1:${port}`])
      seen[name as "a" | "b"] += 1
    }
    expect(Math.abs(seen.b - 60)).toBeLessThan(4 * Math.sqrt(200 * 0.3 * 0.7))
  })

  it("lets listed users into their pool first, by exactly what they are called, and keeps all others where they are", async () => {
    const [a, b] = [await instance("a"), await instance("b")]
    const port = await freePort()
    const pools = [
      { pool: "r1", weight: 100, instances: [a] },
      { pool: "r2", weight: 0, instances: [b] },
    ]
    const keys = ["anna", 'u-1.$x{}"\\;', "10.0.0.7"]
    const view = route(pools, {
      listen: `127.0.0.1:${port}`,
      sticky: { by: "header", name: "X-User" },
      first: { keys, pool: "r2" },
    })
    running = spawn(nginx ?? "", ["-p", dir, "-c", write([view])], { stdio: "ignore" })
    const get = async (user: string) => {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { "x-user": user } })
      return (await answer.text())[0]
    }
    await until(async () => (await get("x")) === "a")
    for (const key of keys) expect(await get(key)).toBe("b")
    for (const key of ["Anna", "annax", "10a0.0.7"]) expect(await get(key)).toBe("a")
  })

  it("is told loudly what it does otherwise, in what is printed and apart from it", async () => {
    const [a, b] = [await instance("a"), await instance("b")]
    const pools = [
      { pool: "r1", weight: 90, instances: [a] },
      { pool: "r2", weight: 10, instances: [b] },
    ]
    const view = route(pools, {
      sticky: { by: "header", name: "X-User" },
      selection: "sha256",
      first: { keys: ["anna"], pool: "r3" },
      holdRequests: 200,
    })
    const lacks = nginxLacks([view])
    expect(lacks).toEqual([
      expect.stringContaining("copied nowhere"),
      expect.stringContaining("selection: sha256 cannot be kept"),
      expect.stringContaining("holdRequests"),
      expect.stringContaining("nobody is in r3"),
    ])
    const printed = nginxConfiguration("papi", [view])
    for (const lack of lacks) expect(printed).toContain(`# NOT AS IMMUNITY DOES IT: ${lack}`)
    expect(accepted([view])).toBe("")
    expect(nginxLacks([route([{ pool: "r1", weight: 100, instances: [a] }])])).toHaveLength(1)
  })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

async function until(look: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000
  while (!(await look().catch(() => false))) {
    if (Date.now() > deadline) throw new Error("waited 30 s for nginx to answer")
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
