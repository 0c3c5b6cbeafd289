import { type ChildProcess, execFile, spawn } from "node:child_process"
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { request as requestPlain } from "node:http"
import { request as requestSecure } from "node:https"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { freePort } from "../../conformance/stage/program.ts"
import { isInstalled } from "./install.ts"
import { backend, caddyfile, haproxyConfig, type Mode, nginxConfig } from "./rivals.ts"

/** Somebody who carries requests to the backends. */
export type Contestant = { readonly name: string; readonly url: string; readonly pid: number }

const immunity = fileURLToPath(new URL("../../bin/immunity", import.meta.url))

/** The backends and everyone who is compared, each in one process with one thread for traffic. */
export class Stage {
  readonly #dir: string
  readonly #children: ChildProcess[] = []

  constructor(dir: string) {
    this.#dir = dir
  }

  async open(): Promise<readonly Contestant[]> {
    const [cert, key] = await this.#certificate()
    const pools = { stable: await freePort(), canary: await freePort() }
    await this.#start("backend", "nginx", async (file) => ["-c", file], backend(this.#dir, pools))
    await answered(`http://127.0.0.1:${pools.stable}/`)
    const sandbox = await freePort()
    this.#spawn(process.execPath, [fileURLToPath(new URL("sandbox.ts", import.meta.url)), String(sandbox)])
    const tls = (mode: Mode) => (mode === "tls" ? { cert, key, pem: join(this.#dir, "both.pem") } : undefined)
    const contestants: Contestant[] = []
    const join1 = async (name: string, mode: Mode, start: (port: number) => Promise<number>) => {
      const port = await freePort()
      const pid = await start(port)
      const url = `${mode === "tls" ? "https" : "http"}://127.0.0.1:${port}/`
      await answered(url)
      contestants.push({ name: `${name} ${mode}`, url, pid })
    }
    const withCaddy = await isInstalled("caddy")
    for (const mode of ["full", "plain", "tls"] as const) {
      await join1("embedded", mode, async (port) => this.#embedded(port, pools, mode, cert, key))
      await join1("haproxy", mode, (port) =>
        this.#start(
          `haproxy-${mode}`,
          "haproxy",
          async (file) => ["-db", "-f", file],
          haproxyConfig(port, pools, mode, tls(mode)),
        ),
      )
      await join1("nginx", mode, (port) =>
        this.#start(
          `nginx-${mode}`,
          "nginx",
          async (file) => ["-c", file],
          nginxConfig(this.#dir, port, pools, mode, tls(mode)),
        ),
      )
      // Caddy 2.6 has no shares: it is compared where nothing is split.
      if (withCaddy && mode === "plain")
        await join1("caddy", mode, (port) =>
          this.#start(
            `caddy-${mode}`,
            "caddy",
            async (file) => ["run", "--adapter", "caddyfile", "--config", file],
            caddyfile(port, pools),
          ),
        )
    }
    const copies = [`--mirror=127.0.0.1:${sandbox}`, "--mirror-timeout=1s"]
    const port = await freePort()
    const pid = this.#embedded(port, pools, "full", cert, key, copies)
    await answered(`http://127.0.0.1:${port}/`)
    contestants.push({ name: "embedded mirror", url: `http://127.0.0.1:${port}/`, pid })
    return contestants
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#children.map((child) => {
        if (child.exitCode !== null || child.signalCode !== null) return undefined
        const over = new Promise((resolve) => child.once("exit", resolve))
        child.kill("SIGTERM")
        const impatient = setTimeout(() => child.kill("SIGKILL"), 3_000)
        return over.finally(() => clearTimeout(impatient))
      }),
    )
  }

  #embedded(
    port: number,
    pools: { readonly stable: number; readonly canary: number },
    mode: Mode,
    cert: string,
    key: string,
    more: readonly string[] = [],
  ): number {
    const full = [
      `--to=127.0.0.1:${pools.stable}=90`,
      `--to=127.0.0.1:${pools.canary}=10`,
      "--sticky=cookie=user",
      "--metrics=127.0.0.1:0",
    ]
    const flags = mode === "plain" ? [`--to=127.0.0.1:${pools.stable}`] : full
    const tls = mode === "tls" ? [`--cert=${cert}`, `--key=${key}`] : []
    return this.#spawn(immunity, ["router", `--listen=127.0.0.1:${port}`, ...flags, ...tls, ...more])
  }

  async #start(
    name: string,
    program: string,
    flags: (file: string) => Promise<readonly string[]>,
    config: string,
  ): Promise<number> {
    await mkdir(join(this.#dir, "tmp"), { recursive: true })
    const file = join(this.#dir, name)
    await writeFile(file, config)
    return this.#spawn(program, await flags(file))
  }

  #spawn(program: string, flags: readonly string[]): number {
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin`, HOME: this.#dir, GOMAXPROCS: "1" }
    const child = spawn(program, flags, { stdio: ["ignore", "ignore", "pipe"], env })
    let output = ""
    child.stderr.on("data", (chunk) => {
      output = (output + chunk).slice(-2_000)
    })
    child.on("exit", (code, signal) => {
      if (signal === null && code !== 0) process.stderr.write(`${program} ended with ${code}: ${output}\n`)
    })
    this.#children.push(child)
    if (child.pid === undefined) throw new Error(`${program} did not start`)
    return child.pid
  }

  async #certificate(): Promise<readonly [cert: string, key: string]> {
    const [cert, key] = [join(this.#dir, "cert.pem"), join(this.#dir, "key.pem")]
    const subject = ["-nodes", "-days", "2", "-subj", "/CN=shop.test", "-keyout", key, "-out", cert]
    await promisify(execFile)("openssl", [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      ...subject,
    ])
    await writeFile(
      join(this.#dir, "both.pem"),
      (await readFile(cert, "utf8")) + (await readFile(key, "utf8")),
    )
    return [cert, key]
  }
}

/** Waits until an address answers 200. Throws after 30 s. */
async function answered(url: string): Promise<void> {
  const request = url.startsWith("https:") ? requestSecure : requestPlain
  const deadline = Date.now() + 30_000
  while (Date.now() < deadline) {
    const status = await new Promise<number | undefined>((resolve) => {
      const asked = request(url, { rejectUnauthorized: false, agent: false }, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      })
      asked.on("error", () => resolve(undefined))
      asked.end()
    })
    if (status === 200) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${url} does not answer`)
}
