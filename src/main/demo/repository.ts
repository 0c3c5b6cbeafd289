import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export const kinds = ["errors", "slow", "crash", "leak", "wrong", "drift", "blind"] as const
export type Kind = (typeof kinds)[number]

/** How production is rolled: an equal share beside the old at once, or a canary that climbs within a budget. */
export const strategies = ["immutable", "canary"] as const
export type DemoStrategy = (typeof strategies)[number]

/** Extra failures a minute that the canary's climb may cost: two a second, as a demo has seconds for minutes. */
const harm = "120/min"

/** A real git repository with Papi in it, short clocks, and ports that are free on this machine. */
export class Repository {
  readonly path: string

  /** `base`: the id of the image that a Dockerfile builds on; without one there is no Dockerfile. */
  constructor(
    path: string,
    ports: readonly number[],
    router: string,
    base: string | undefined,
    strategy: DemoStrategy,
  ) {
    this.path = path
    mkdirSync(path, { recursive: true })
    cpSync(fileURLToPath(new URL("../../../../examples/papi", import.meta.url)), path, { recursive: true })
    writeFileSync(join(path, "immunity.yaml"), pipeline(ports, router, strategy))
    if (base !== undefined) writeFileSync(join(path, "Dockerfile"), dockerfile(base))
    this.#git("init", "--quiet", "--initial-branch=main")
  }

  /** Commits papi.json with a flaw and a speed; the commit's id. */
  commit(subject: string, author: string, flaw: Kind | "none", speed: number): string {
    writeFileSync(join(this.path, "papi.json"), `${JSON.stringify({ flaw, speed, change: subject })}\n`)
    this.#git("add", "--all")
    this.#git(
      "-c",
      `user.name=${author}`,
      "-c",
      `user.email=${author.toLowerCase()}@example.com`,
      "commit",
      "--quiet",
      "-m",
      subject,
    )
    return this.#git("rev-parse", "HEAD").trim()
  }

  #git(...args: readonly string[]): string {
    const env = { PATH: process.env.PATH ?? "", HOME: this.path, GIT_CONFIG_NOSYSTEM: "1" }
    return execFileSync("git", args, { cwd: this.path, encoding: "utf8", env })
  }
}

const dockerfile = (base: string): string => `FROM ${base}
WORKDIR /app
COPY package.json server.js papi.json ./
`

/** Papi's pipeline with the clocks of a demo: seconds where a real one has minutes. */
const pipeline = ([s1, s2, p3, p4]: readonly number[], router: string, strategy: DemoStrategy): string => {
  const ramp = strategy === "canary" ? `ramp: { harm: ${harm} }, ` : ""
  return `version: 1
app: papi
router: ${router}
build: { command: node --check server.js }
start: node server.js            # gets PORT
test: node test.js               # gets IMMUNITY_URL, the address of the new instances
run:
  health: { path: /healthz, every: 200ms, timeout: 1s, healthy: 1, unhealthy: 3 }
  drain: 2s
  memory: 220MB
regions:
  - { name: sandbox1, listen: ${s1} }
  - { name: sandbox2, listen: ${s2}, mirror: prod3, compare: { for: 4s, warmup: 500ms, minSamples: 50, extensions: 10 } }
  - { name: prod3, listen: ${p3}, gate: button, ${ramp}compare: { for: 6s, warmup: 0s, minSamples: 50, extensions: 10 }, bake: 2s }
  - { name: prod4, listen: ${p4}, size: 2, ${ramp}compare: { for: 6s, warmup: 0s, minSamples: 50, extensions: 10 }, bake: 2s }
answers: { every: 500ms }
metrics:
  http: false
  list:
    error_rate: { kind: error-proportion, tolerate: 1pp, critical: true }
    latency_p95: { tolerate: [25%, 30ms], critical: true }
    crashes: { kind: events, critical: true }
`
}
